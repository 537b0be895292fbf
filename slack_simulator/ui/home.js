// The app's home tab.

import { blocks } from "./blocks.js";
import { h, replace } from "./dom.js";
import { act, go, tab } from "./state.js";
import { Typed } from "./typed.js";

let drawn = "";
const typed = new Typed();

export async function openHome() {
  await go({ pane: "home", thread: "" });
  await act("open_home", {});
}

export function drawHome(node) {
  const home = tab.data.home;
  const key = home ? `${tab.as} ${home.id} ${home.hash}` : `${tab.as} none`;
  if (key === drawn) return;
  drawn = key;
  if (!home) return replace(node, h("p", { class: "quiet" }, "This app has not drawn its home tab for you yet."));
  replace(node, h("div", { class: "blocks", data: { viewId: home.id } }, blocks(home.blocks, typed.context(home, {}))));
}
