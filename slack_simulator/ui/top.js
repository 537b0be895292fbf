// The person switcher: one link per person, so that a second tab can be somebody else.

import { avatar, h, replace } from "./dom.js";
import { go, tab } from "./state.js";

let drawn = "";

export function drawTop(node) {
  const people = tab.data.people.filter((one) => !one.is_bot);
  const key = JSON.stringify([people, tab.as]);
  if (key === drawn) return;
  drawn = key;
  replace(node, h("span", { class: "iam", id: "iam" }, "You are"), h("div", { class: "people", role: "group", "aria-labelledby": "iam" }, people.map(chip)));
}

function chip(one) {
  const here = one.id === tab.data.me;
  const note = one.deleted ? "deactivated" : one.external || (one.guest ? "guest" : one.title);
  const become = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    go({ as: one.name, thread: "" });
  };
  return h(
    "a",
    { class: `chip${here ? " here" : ""}`, href: `/ui/?as=${encodeURIComponent(one.name)}`, "aria-current": here ? "true" : null, title: `Be ${one.real_name}. Ctrl-click opens another tab.`, data: { person: one.name }, on: { click: become } },
    avatar(one, 24),
    h("span", { class: "who" }, h("strong", {}, one.real_name), note && h("small", {}, note)),
  );
}
