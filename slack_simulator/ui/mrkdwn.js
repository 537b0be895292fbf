// Slack's mrkdwn as DOM nodes. Text is decoded into text nodes only; links must be http, https or mailto.

import { h } from "./dom.js";
import { EMOJI } from "./emoji.js";
import { person, tab } from "./state.js";
import { formatted } from "./time.js";

const INLINE = new RegExp(
  [
    "`(?<code>[^`\\n]+)`",
    "<(?<token>[^<>\\n]+)>",
    ":(?<emoji>[a-z0-9_+-]+):",
    "(?<![\\w*])\\*(?=\\S)(?<bold>[^\\n]*?\\S)\\*(?![\\w*])",
    "(?<![\\w_])_(?=\\S)(?<italic>[^\\n]*?\\S)_(?![\\w_])",
    "(?<![\\w~])~(?=\\S)(?<strike>[^\\n]*?\\S)~(?![\\w~])",
  ].join("|"),
  "g",
);
const TAGS = { bold: "strong", italic: "em", strike: "s" };

export function decode(text) {
  return text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
}

export function mrkdwn(text) {
  const parts = text.split(/```\n?([\s\S]*?)```/);
  return parts.flatMap((part, index) => (index % 2 ? [h("pre", {}, decode(part.replace(/\n$/, "")))] : lines(part)));
}

function lines(text) {
  const nodes = [];
  let quote = null;
  for (const [index, line] of text.split("\n").entries()) {
    const quoted = line.match(/^(?:&gt;|>) ?(.*)$/);
    if (quoted) {
      if (quote) quote.append(h("br"));
      else nodes.push((quote = h("blockquote")));
      quote.append(...inline(quoted[1]));
      continue;
    }
    if (index > 0 && !quote) nodes.push(h("br"));
    quote = null;
    nodes.push(...inline(line));
  }
  return nodes;
}

function inline(text) {
  const nodes = [];
  let last = 0;
  for (const match of text.matchAll(INLINE)) {
    nodes.push(decode(text.slice(last, match.index)), ...span(match));
    last = match.index + match[0].length;
  }
  nodes.push(decode(text.slice(last)));
  return nodes.filter((node) => node !== "");
}

function span(match) {
  const { code, token, emoji, ...styles } = match.groups;
  if (code !== undefined) return [h("code", {}, decode(code))];
  if (token !== undefined) return [link(token)];
  if (emoji !== undefined) return [EMOJI[emoji] ? h("span", { title: `:${emoji}:` }, EMOJI[emoji]) : match[0]];
  const [name, inner] = Object.entries(styles).find(([, value]) => value !== undefined);
  return [h(TAGS[name], {}, ...inline(inner))];
}

function link(token) {
  const [target, label] = split(token);
  if (target.startsWith("@")) return mention(target.slice(1));
  if (target.startsWith("#")) return channel(target.slice(1), label);
  if (target.startsWith("!")) return special(target.slice(1), label);
  return anchor(decode(target), label ? decode(label) : null);
}

function split(token) {
  const at = token.indexOf("|");
  return at < 0 ? [token, ""] : [token.slice(0, at), token.slice(at + 1)];
}

export function anchor(url, label) {
  if (!/^(https?:\/\/|mailto:)/i.test(url)) return label || url;
  return h("a", { href: url, target: "_blank", rel: "noreferrer noopener" }, label || url);
}

export function mention(id) {
  const one = person(id);
  const mine = id === tab.data.me ? " mine" : "";
  return h("span", { class: `mention${mine}`, data: { userId: id } }, `@${one ? one.real_name : id}`);
}

export function channel(id, label) {
  const found = tab.data.channels.find((one) => one.id === id);
  const name = found?.name || label;
  return h("a", { class: "mention", href: `/archives/${id}/p0000000`, data: { channelId: id } }, name ? `#${name}` : "a private channel");
}

export function group(id, label) {
  const found = tab.data.groups.find((one) => one.id === id);
  const mine = found?.users.includes(tab.data.me) ? " mine" : "";
  return h("span", { class: `mention${mine}` }, found ? `@${found.handle}` : label || id);
}

function special(target, label) {
  const [kind, ...rest] = target.split("^");
  if (kind === "date") return dated(rest, label);
  if (kind === "subteam") return group(rest[0], label);
  return h("span", { class: "mention mine" }, `@${kind}`);
}

function dated([seconds, format, url], fallback) {
  const text = /^\d+$/.test(seconds) ? formatted(seconds, format || "{date_num}") : fallback;
  const time = h("time", { title: decode(fallback), datetime: new Date(Number(seconds) * 1000).toISOString() }, decode(text));
  return url ? h("a", { href: url, target: "_blank", rel: "noreferrer noopener" }, time) : time;
}
