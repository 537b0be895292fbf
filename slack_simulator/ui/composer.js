// Where people type: messages, and slash commands with what the manifest says about them.

import { avatar, h, icon, replace } from "./dom.js";
import { act, me, refresh, tab } from "./state.js";

export class Composer {
  constructor(inThread) {
    this.inThread = inThread;
    this.notice = h("div", { class: "notice", role: "alert", hidden: true });
    this.list = h("div", { class: "suggestions", role: "listbox", "aria-label": "Suggestions", hidden: true });
    this.input = h("textarea", { rows: 1, "aria-label": inThread ? "Reply" : "Message", autocomplete: "off", spellcheck: "true" });
    const send = h("button", { type: "button", class: "send", "aria-label": "Send", on: { click: () => this.send() } }, icon("send"));
    this.box = h("div", { class: "composer-box" }, this.input, send);
    this.node = h("div", { class: "composer" }, this.notice, this.list, this.box);
    this.input.addEventListener("input", () => this.changed());
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.at = 0;
    this.drafts = new Map();
    this.place = "";
  }

  show(channel) {
    const place = `${tab.as} ${channel?.id} ${this.inThread ? tab.thread : ""}`;
    if (place !== this.place) this.moveTo(place);
    const closed = !channel || channel.archived || channel.read_only;
    this.input.disabled = Boolean(closed);
    const name = channel?.kind === "im" ? tab.data.people.find((p) => p.id === channel.with)?.real_name : `#${channel?.name}`;
    this.input.placeholder = closed ? "Nobody can write here" : this.inThread ? "Reply" : `Message ${name} as ${me().real_name}`;
  }

  moveTo(place) {
    this.drafts.set(this.place, this.input.value);
    this.place = place;
    this.input.value = this.drafts.get(place) || "";
    this.tell("");
    this.changed();
  }

  changed() {
    this.input.style.height = "auto";
    this.input.style.height = `${Math.min(this.input.scrollHeight, 160)}px`;
    this.found = this.suggestions();
    this.at = 0;
    this.draw();
  }

  suggestions() {
    const text = this.input.value;
    if (/^\/\S*$/.test(text) && !this.inThread) {
      return tab.data.commands.filter((c) => c.command.startsWith(text)).map((c) => ({ insert: `${c.command} `, name: c.command, hint: c.usage_hint, about: c.description }));
    }
    const typed = text.match(/(?:^|\s)@([\w.-]*)$/);
    if (!typed) return [];
    const people = tab.data.people.filter((p) => !p.deleted).map((p) => ({ handle: p.name, about: p.real_name, person: p }));
    const groups = tab.data.groups.map((g) => ({ handle: g.handle, about: `${g.users.length} people` }));
    return [...people, ...groups]
      .filter((one) => one.handle.startsWith(typed[1]))
      .slice(0, 6)
      .map((one) => ({ ...one, insert: `${text.slice(0, text.length - typed[1].length)}${one.handle} `, name: `@${one.handle}` }));
  }

  draw() {
    this.list.hidden = this.found.length === 0;
    replace(
      this.list,
      this.found.map((one, index) =>
        h(
          "button",
          { type: "button", role: "option", class: "suggestion", "aria-selected": String(index === this.at), on: { click: () => this.take(one) } },
          one.person ? avatar(one.person, 20) : null,
          h("strong", {}, one.name),
          one.hint && h("code", {}, one.hint),
          h("span", { class: "quiet" }, one.about),
        ),
      ),
    );
  }

  take(one) {
    this.input.value = one.insert;
    this.input.focus();
    this.changed();
  }

  key(event) {
    const open = this.found?.length > 0 && !this.found.some((one) => one.insert.trim() === this.input.value.trim());
    if (open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      this.at = (this.at + (event.key === "ArrowDown" ? 1 : this.found.length - 1)) % this.found.length;
      this.draw();
    } else if (open && (event.key === "Tab" || event.key === "Enter")) {
      event.preventDefault();
      this.take(this.found[this.at]);
    } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.send();
    } else if (event.key === "Escape" && !this.list.hidden) {
      event.stopPropagation();
      this.list.hidden = true;
    }
  }

  async send() {
    const text = this.input.value.trim();
    if (!text || this.node.classList.contains("busy")) return;
    if (text.startsWith("/") && this.inThread) return this.tell("Slash commands do not work in threads. Type it in the channel.");
    this.tell("");
    this.node.classList.add("busy");
    const seen = text.startsWith("/") ? await act("command", { channel: tab.channel, line: text }) : await this.say(text);
    this.node.classList.remove("busy");
    if (seen?.error) return this.tell(seen.error);
    this.input.value = "";
    this.changed();
    await refresh();
    // A modal that the command opened has the focus; otherwise the next line is typed here.
    if (!tab.data.views.length) this.input.focus();
  }

  say(text) {
    return act("say", { channel: tab.channel, text, ...(this.inThread ? { thread: tab.thread } : {}) });
  }

  tell(text) {
    this.notice.hidden = !text;
    const close = h("button", { type: "button", class: "plain", on: { click: () => this.tell("") } }, "Dismiss");
    replace(this.notice, icon("eye"), h("span", { class: "quiet" }, "Only visible to you"), h("span", {}, text), close);
  }
}
