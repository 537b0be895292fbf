// A question over everything else; Escape says no.

import { h } from "./dom.js";

export function confirmed(asked) {
  return new Promise((answer) => {
    const dialog = h("dialog", { class: "dialog small", "aria-label": asked.title.text });
    const done = (value) => {
      dialog.close();
      dialog.remove();
      answer(value);
    };
    const yes = h("button", { type: "button", class: `button ${asked.style || "primary"}`, data: { confirm: "yes" }, on: { click: () => done(true) } }, asked.confirm.text);
    const no = h("button", { type: "button", class: "button default", data: { confirm: "no" }, on: { click: () => done(false) } }, asked.deny.text);
    dialog.append(h("h2", {}, asked.title.text), h("p", { class: "pre-line" }, asked.text.text), h("div", { class: "dialog-foot" }, no, yes));
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      done(false);
    });
    document.body.append(dialog);
    dialog.showModal();
    yes.focus();
  });
}
