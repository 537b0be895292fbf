// Message lists, in the channel and in the thread. Unchanged messages keep their nodes, so focus and spinners survive.

import { blocks } from "./blocks.js";
import { avatar, h, icon } from "./dom.js";
import { initialValue } from "./values.js";
import { mrkdwn } from "./mrkdwn.js";
import { act, go, person, tab } from "./state.js";
import { clockOf, dayLabel, dayOf, fullTime, shortClockOf } from "./time.js";

export class MessageList {
  constructor(inThread) {
    this.inThread = inThread;
    this.known = new Map();
    this.node = h("ol", { class: "messages", role: "log", "aria-live": "polite", "aria-label": inThread ? "Replies" : "Messages" });
    this.place = "";
  }

  show(messages, place) {
    const moved = place !== this.place;
    if (moved) this.known.clear();
    const atEnd = moved || this.node.scrollHeight - this.node.scrollTop - this.node.clientHeight < 80;
    const channel = tab.data.channels.find((one) => one.id === tab.channel);
    const rows = this.inThread || !channel ? [] : [this.row("intro", JSON.stringify([channel.id, channel.name]), () => intro(channel))];
    let before = null;
    for (const message of messages) {
      if (!before || dayOf(before.ts) !== dayOf(message.ts)) rows.push(this.row(`day ${dayOf(message.ts)}`, dayOf(message.ts), () => day(message.ts)));
      const joined = follows(before, message, this.inThread);
      const key = JSON.stringify([message, joined, tab.data.people.length]);
      rows.push(this.row(message.ts, key, () => this.message(message, joined)));
      before = message;
    }
    const current = [...this.node.children];
    if (rows.length !== current.length || rows.some((row, index) => row !== current[index])) this.node.replaceChildren(...rows);
    this.place = place;
    if (atEnd) this.node.scrollTop = this.node.scrollHeight;
    this.jump();
  }

  row(name, key, draw) {
    const known = this.known.get(name);
    if (known?.key === key) return known.node;
    const node = draw();
    this.known.set(name, { key, node });
    return node;
  }

  message(message, joined) {
    const author = person(message.user) || { real_name: message.user || "Unknown", color: "777777" };
    const ts = message.ts;
    return h(
      "li",
      { class: `message${joined ? " joined" : ""}${message.is_ephemeral ? " ephemeral" : ""}`, data: { ts, userId: message.user }, tabindex: "-1" },
      message.is_ephemeral && h("div", { class: "only-you" }, icon("eye"), "Only visible to you", dismiss(ts)),
      h("div", { class: "gutter" }, joined ? h("time", { class: "side-time", title: fullTime(ts) }, shortClockOf(ts)) : avatar(author)),
      h("div", { class: "content" }, !joined && byline(message, author), body(message), !this.inThread && this.replies(message)),
      !message.is_ephemeral && message.subtype !== "tombstone" && this.tools(message),
    );
  }

  replies(message) {
    if (!message.reply_count) return null;
    const faces = message.reply_users.map((id) => avatar(person(id), 20));
    const count = `${message.reply_count} ${message.reply_count === 1 ? "reply" : "replies"}`;
    const open = () => go({ thread: message.ts });
    const last = h("span", { class: "quiet" }, `last at ${clockOf(message.latest_reply)}`);
    return h("button", { type: "button", class: "replies", data: { thread: message.ts }, on: { click: open } }, faces, h("span", { class: "count" }, count), last);
  }

  tools(message) {
    const open = () => go({ thread: message.thread_ts || message.ts });
    const reply = !this.inThread && h("button", { type: "button", title: "Reply in thread", "aria-label": "Reply in thread", on: { click: open } }, icon("thread"));
    const tools = [reply, ...tab.data.shortcuts.map((one) => shortcut(one, message))].filter(Boolean);
    return tools.length > 0 && h("div", { class: "tools" }, tools);
  }

  jump() {
    const target = tab.jump && this.node.querySelector(`[data-ts="${CSS.escape(tab.jump)}"]`);
    if (!target) return;
    tab.jump = "";
    target.scrollIntoView({ block: "center" });
    target.classList.add("found");
  }
}

// What stands above the first message: where this is, and what can be typed here.
function intro(channel) {
  const here = channel.kind === "im" ? `your messages with ${person(channel.with)?.real_name}` : `#${channel.name}`;
  const [command] = channel.archived || channel.read_only ? [] : tab.data.commands;
  const hint = command && [" Type ", h("code", {}, command.command), ` to ${command.description[0].toLowerCase()}${command.description.slice(1)}.`];
  return h("li", { class: "intro" }, `This is the beginning of ${here}.`, hint);
}

// Whether a message goes without its author's name. In a thread the app's lines follow each other; cards stand alone.
function follows(before, message, inThread) {
  if (!before || before.user !== message.user || before.is_ephemeral || message.is_ephemeral) return false;
  const drawn = Boolean(before.blocks || message.blocks);
  const head = before.thread_ts === before.ts;
  if (message.subtype || (drawn && (!inThread || head))) return false;
  return dayOf(before.ts) === dayOf(message.ts) && Number(message.ts) - Number(before.ts) < 300;
}

function day(ts) {
  return h("li", { class: "day" }, h("span", {}, dayLabel(ts)));
}

function byline(message, author) {
  return h(
    "div",
    { class: "byline" },
    h("strong", {}, author.real_name),
    author.is_bot && h("span", { class: "tag" }, "App"),
    author.guest && h("span", { class: "tag warm" }, "Guest"),
    author.external && h("span", { class: "tag warm" }, author.external),
    author.deleted && h("span", { class: "tag" }, "Deactivated"),
    h("time", { title: fullTime(message.ts) }, clockOf(message.ts)),
    message.subtype === "thread_broadcast" && h("span", { class: "quiet" }, "also sent to the channel"),
  );
}

function body(message) {
  if (message.subtype === "tombstone") return h("em", { class: "quiet" }, message.text);
  const parts = [];
  if (message.blocks?.length) parts.push(h("div", { class: "blocks" }, blocks(message.blocks, context(message))));
  else parts.push(h("div", { class: "text" }, mrkdwn(message.text || "")));
  for (const one of message.attachments || []) parts.push(attachment(one, message));
  if (message.edited) parts.push(h("span", { class: "quiet edited" }, "(edited)"));
  return parts;
}

function attachment(one, message) {
  const inside = one.blocks ? blocks(one.blocks, context(message)) : mrkdwn(one.text || one.fallback || "");
  const node = h("div", { class: "attachment" }, inside);
  if (/^#?[0-9a-f]{6}$/i.test(one.color || "")) node.style.borderColor = `#${one.color.replace("#", "")}`;
  return node;
}

function context(message) {
  const chosen = {};
  return {
    value: (block, element) => chosen[element.action_id] ?? initialValue(element),
    typed: () => {},
    act: (element, block, value) => {
      chosen[element.action_id] = value;
      const where = { channel: tab.channel, ts: message.ts, action_id: element.action_id, block_id: block.block_id };
      return act("click", { ...where, value });
    },
  };
}

// One of the app's shortcuts, which Slack has in a message's menu.
function shortcut(one, message) {
  const choose = () => act("shortcut", { channel: tab.channel, ts: message.ts, callback_id: one.callback_id });
  return h("button", { type: "button", title: one.description, data: { callbackId: one.callback_id }, on: { click: choose } }, one.name);
}

function dismiss(ts) {
  return h("button", { type: "button", class: "plain", on: { click: () => act("dismiss", { ts }) } }, "Dismiss");
}
