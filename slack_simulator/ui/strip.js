// The strip at the bottom: what the demo reports, its buttons, and the journal's switch.

import { h, icon, replace } from "./dom.js";
import { post, refresh, tab } from "./state.js";

let drawn = "";

export function drawStrip(node, drawer) {
  const { items, actions } = tab.data.strip;
  const key = JSON.stringify([items, actions, drawer.open]);
  if (key === drawn) return;
  drawn = key;
  replace(
    node,
    h("div", { class: "items" }, items.map(item)),
    h("div", { class: "strip-actions" }, actions.map(action), h("button", { type: "button", class: "plain", "aria-pressed": String(drawer.open), data: { strip: "journal" }, on: { click: () => drawer.toggle() } }, "Journal")),
  );
}

function item(one) {
  return h("span", { class: `item ${one.tone || ""}`, data: { label: one.label } }, h("i", { "aria-hidden": "true" }), h("span", { class: "quiet" }, one.label), h("strong", {}, String(one.value ?? "")));
}

function action(one) {
  const node = h("button", { type: "button", class: "button default slim", data: { strip: one.label }, on: { click: () => press(node, one) } }, h("span", {}, one.label));
  return node;
}

async function press(node, one) {
  node.classList.add("busy");
  const seen = await post("/sim/strip/act", { label: one.label });
  node.classList.remove("busy");
  const failed = Boolean(seen.error) || seen.status >= 400;
  node.classList.toggle("wrong", failed);
  node.parentElement?.querySelector(".failed")?.remove();
  if (failed) node.before(h("span", { class: "failed", role: "alert" }, icon("warn"), seen.error || seen.said || `The demo answered ${seen.status}.`));
  await refresh();
}
