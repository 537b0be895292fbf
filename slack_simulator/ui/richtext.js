// rich_text blocks, read only.

import { h } from "./dom.js";
import { EMOJI } from "./emoji.js";
import { anchor, channel, group, mention } from "./mrkdwn.js";
import { formatted } from "./time.js";

const STYLES = { bold: "strong", italic: "em", strike: "s", code: "code" };

export function richText(block) {
  return h("div", { class: "rich" }, block.elements.map(section));
}

function section(part) {
  const inside = () => part.elements.map(leaf);
  if (part.type === "rich_text_preformatted") return h("pre", {}, inside());
  if (part.type === "rich_text_quote") return h("blockquote", {}, inside());
  if (part.type === "rich_text_list") {
    const items = part.elements.map((one) => h("li", {}, one.elements.map(leaf)));
    return h(part.style === "ordered" ? "ol" : "ul", {}, items);
  }
  return h("div", {}, inside());
}

function leaf(one) {
  const node = plain(one);
  return Object.entries(STYLES).reduce((inner, [style, tag]) => (one.style?.[style] ? h(tag, {}, inner) : inner), node);
}

function plain(one) {
  switch (one.type) {
    case "text": return h("span", { class: "pre-line" }, one.text);
    case "link": return anchor(one.url, one.text);
    case "user": return mention(one.user_id);
    case "usergroup": return group(one.usergroup_id);
    case "channel": return channel(one.channel_id);
    case "emoji": return EMOJI[one.name] || `:${one.name}:`;
    case "broadcast": return h("span", { class: "mention mine" }, `@${one.range}`);
    case "date": return h("time", { title: one.fallback || "" }, formatted(one.timestamp, one.format));
    default: return "";
  }
}
