// Modals, the top one of the stack over everything. Enter submits, Escape closes one.

import { blocks, text } from "./blocks.js";
import { h, icon, replace } from "./dom.js";
import { act, refresh, tab } from "./state.js";
import { Typed } from "./typed.js";

export class Modals {
  constructor(layer) {
    this.layer = layer;
    this.typed = new Typed();
    this.key = "";
    this.errors = {};
    this.trouble = "";
  }

  draw() {
    const views = tab.data.views;
    const top = views[views.length - 1];
    const key = top ? [tab.as, top.id, top.hash, views.length, JSON.stringify(this.errors), this.trouble].join(" ") : "";
    if (key === this.key) return;
    if (top?.id !== this.view?.id || top?.hash !== this.view?.hash) this.forget();
    this.key = key && [tab.as, top.id, top.hash, views.length, JSON.stringify(this.errors), this.trouble].join(" ");
    const focus = this.focused();
    this.view = top;
    replace(this.layer, top ? this.veil(top, views.length) : null);
    if (top) this.refocus(focus);
  }

  forget() {
    this.errors = {};
    this.trouble = "";
  }

  veil(view, depth) {
    const veil = h("div", { class: "veil" }, this.dialog(view, depth));
    veil.addEventListener("keydown", (event) => this.keydown(event));
    return veil;
  }

  dialog(view, depth) {
    const inside = blocks(view.blocks, this.typed.context(view, this.errors));
    return h(
      "div",
      { class: `dialog modal ${["", "over-one", "over-two"][depth - 1]}`, role: "dialog", "aria-modal": "true", "aria-labelledby": "modal-title", data: { viewId: view.id, callbackId: view.callback_id } },
      h(
        "div",
        { class: "dialog-head" },
        depth > 1 && h("button", { type: "button", class: "plain", "aria-label": "Back", on: { click: () => this.close(false) } }, "←"),
        h("h2", { id: "modal-title" }, text(view.title)),
        h("button", { type: "button", class: "plain", "aria-label": "Close", on: { click: () => this.close(true) } }, icon("close")),
      ),
      this.trouble && h("div", { class: "banner bad", role: "alert" }, icon("warn"), this.trouble),
      h("div", { class: "dialog-body blocks" }, inside),
      h(
        "div",
        { class: "dialog-foot" },
        h("span", { class: "by quiet" }, tab.data.app.name),
        h("button", { type: "button", class: "button default", data: { view: "close" }, on: { click: () => this.close(false) } }, view.close ? text(view.close) : "Cancel"),
        view.submit && h("button", { type: "button", class: "button primary", data: { view: "submit" }, on: { click: () => this.submit() } }, h("span", {}, text(view.submit))),
      ),
    );
  }

  keydown(event) {
    if (event.key === "Escape") {
      event.preventDefault();
      this.close(false);
    } else if (event.key === "Enter" && event.target.tagName === "INPUT" && !event.target.dataset.dispatch && event.target.type !== "checkbox") {
      event.preventDefault();
      this.submit();
    } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.submit();
    else if (event.key === "Tab") this.keepInside(event);
  }

  keepInside(event) {
    const all = [...this.layer.querySelectorAll("button, input, select, textarea, a[href]")].filter((one) => !one.disabled && one.offsetParent);
    const edge = event.shiftKey ? all[0] : all[all.length - 1];
    if (document.activeElement !== edge) return;
    event.preventDefault();
    (event.shiftKey ? all[all.length - 1] : all[0]).focus();
  }

  async submit() {
    const button = this.layer.querySelector("[data-view=submit]");
    if (!button || button.disabled) return;
    button.disabled = true;
    button.classList.add("busy");
    const view = this.view;
    const seen = await act("submit", { values: this.typed.values(view), view_id: view.id });
    button.disabled = false;
    button.classList.remove("busy");
    this.errors = seen.errors || {};
    this.trouble = seen.error || "";
    await refresh();
    this.draw();
    this.layer.querySelector("[aria-invalid=true]")?.focus();
  }

  async close(everything) {
    await act("close_view", everything ? { all_views: true } : { view_id: this.view.id });
    await refresh();
  }

  focused() {
    const one = document.activeElement;
    if (!this.layer.contains(one) || !one.dataset.actionId) return null;
    return { block: one.dataset.blockId, action: one.dataset.actionId, at: one.selectionStart };
  }

  // Keeps the cursor where it was through an update, else puts it in the first field.
  refocus(before) {
    const find = before && `[data-block-id="${CSS.escape(before.block)}"][data-action-id="${CSS.escape(before.action)}"]`;
    const same = find && this.layer.querySelector(find);
    const first = this.layer.querySelector("[autofocus], .dialog-body input, .dialog-body textarea, .dialog-body select");
    const target = same || first || this.layer.querySelector("[data-view=submit], [data-view=close]");
    target?.focus({ preventScroll: !same });
    if (same?.setSelectionRange && before.at !== null && before.at !== undefined) same.setSelectionRange(before.at, before.at);
  }
}
