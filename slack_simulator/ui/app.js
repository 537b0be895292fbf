// Puts the page together: one screen per tab, redrawn when the workspace says that something changed.

import { Drawer } from "./drawer.js";
import { Main } from "./main.js";
import { Modals } from "./modal.js";
import { drawSidebar } from "./sidebar.js";
import { go, me, onChange, start, tab } from "./state.js";
import { drawStrip } from "./strip.js";
import { Thread } from "./thread.js";
import { drawTop } from "./top.js";

const find = (id) => document.getElementById(id);
const main = new Main(find("main"));
const thread = new Thread(find("thread"));
const modals = new Modals(find("layer"));
const drawer = new Drawer(find("drawer"), () => drawStrip(find("strip"), drawer));

onChange(() => {
  if (!tab.data) return;
  document.title = `${me().real_name} · ${tab.data.team.name}`;
  drawTop(find("top"));
  drawSidebar(find("sidebar"));
  main.draw();
  thread.draw();
  modals.draw();
  drawStrip(find("strip"), drawer);
  drawer.update();
});

// Links to messages of this workspace stay in the tab and its person.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  const path = link && new URL(link.href, location.href);
  const found = path && path.origin === location.origin && path.pathname.match(/^\/archives\/(\w+)\/p(\d+)(\d{6})$/);
  if (!found) return;
  event.preventDefault();
  const thread = path.searchParams.get("thread_ts") || "";
  go({ channel: found[1], thread, pane: "channel", jump: `${found[2]}.${found[3]}` });
});

start();
