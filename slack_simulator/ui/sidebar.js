// Conversations on the left: channels, direct messages, the app.

import { avatar, h, icon, replace } from "./dom.js";
import { go, isUnread, markSeen, person, tab } from "./state.js";

let drawn = "";

export function drawSidebar(node) {
  const { channels, app } = tab.data;
  if (tab.pane === "channel") markSeen(channels.find((one) => one.id === tab.channel));
  const rows = channels.map((one) => ({ ...one, unread: isUnread(one), here: one.id === tab.channel }));
  const key = JSON.stringify([rows.map((r) => [r.id, r.name, r.unread, r.here, r.archived, r.external]), tab.pane, tab.as]);
  if (key === drawn) return;
  drawn = key;
  const dms = rows.filter((one) => one.kind === "im");
  const isApp = (one) => one.with === app.user;
  replace(
    node,
    h("h2", { class: "team" }, tab.data.team.name),
    section("Channels", rows.filter((one) => one.kind !== "im").map(channel)),
    section("Direct messages", dms.filter((one) => !isApp(one)).map(direct)),
    section("Apps", dms.filter(isApp).map(direct)),
  );
}

function section(title, rows) {
  return rows.length ? h("section", { "aria-label": title }, h("h3", {}, title), h("ul", {}, rows)) : null;
}

function row(one, ...content) {
  const here = one.here && (tab.pane === "channel" || one.with === tab.data.app.user);
  const open = () => go({ channel: one.id, thread: "", pane: "channel" });
  const shape = `row${here ? " here" : ""}${one.unread ? " unread" : ""}`;
  const props = { type: "button", class: shape, "aria-current": here ? "page" : null, data: { channelId: one.id }, on: { click: open } };
  return h("li", {}, h("button", props, content, one.unread && h("span", { class: "dot", title: "New messages" })));
}

function channel(one) {
  const name = one.archived ? `${one.name} (archived)` : one.name;
  return row(one, icon(one.kind === "private" ? "lock" : "hash"), h("span", { class: "name" }, name), one.external && h("span", { class: "tag warm" }, "shared"));
}

function direct(one) {
  const other = person(one.with);
  return row(one, avatar(other, 20), h("span", { class: "name" }, other?.real_name || one.with));
}
