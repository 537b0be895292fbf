// The journal, for developers: everything that went over the wire, with its exact JSON.

import { h, icon, replace } from "./dom.js";

const SHOWN = 400;

export class Drawer {
  constructor(node, changed) {
    this.node = node;
    this.changed = changed;
    this.entries = [];
    this.chosen = null;
    this.filter = h("input", { type: "search", class: "control", placeholder: "Filter", "aria-label": "Filter the journal", on: { input: () => this.draw() } });
    this.rows = h("ol", { class: "entries", tabindex: "0", "aria-label": "Entries" });
    this.json = h("pre", { class: "json", tabindex: "0", "aria-label": "JSON of the entry" }, "Choose an entry to read its JSON.");
    const close = h("button", { type: "button", class: "plain", "aria-label": "Close journal", on: { click: () => this.toggle() } }, icon("close"));
    node.append(h("header", {}, h("h2", {}, "Journal"), this.filter, close), h("div", { class: "drawer-body" }, this.rows, this.json));
  }

  get open() {
    return !this.node.hidden;
  }

  toggle() {
    this.node.hidden = this.open;
    this.changed();
    return this.update();
  }

  async update() {
    if (!this.open || this.loading) return;
    this.loading = true;
    const last = this.entries[this.entries.length - 1]?.n || 0;
    try {
      const more = await (await fetch(`/sim/journal?after=${last}&limit=${SHOWN}`)).json();
      if (more.length) {
        this.entries = [...this.entries, ...more].slice(-SHOWN);
        this.draw();
      }
    } catch {
      // The workspace is away; the banner says so.
    } finally {
      this.loading = false;
    }
  }

  draw() {
    const wanted = this.filter.value.toLowerCase();
    const shown = this.entries.filter((one) => !wanted || JSON.stringify(one).toLowerCase().includes(wanted));
    replace(this.rows, shown.reverse().map((one) => this.row(one)));
  }

  row(one) {
    const choose = () => {
      this.chosen = one.n;
      this.json.textContent = JSON.stringify(one, null, 2);
      this.draw();
    };
    const time = new Date(one.at * 1000).toLocaleTimeString();
    const result = verdict(one);
    return h(
      "li",
      {},
      h(
        "button",
        { type: "button", class: `entry${one.n === this.chosen ? " here" : ""}`, data: { n: one.n, kind: one.kind }, on: { click: choose } },
        h("span", { class: "quiet" }, time),
        h("span", { class: `kind ${one.kind}` }, one.kind.replace("_", " ")),
        h("span", { class: "what" }, one.what),
        h("span", { class: result.bad ? "bad" : "quiet" }, result.text),
      ),
    );
  }
}

function verdict(one) {
  const { data } = one;
  if (one.kind === "api") return data.fault ? bad(data.fault.do) : data.answer?.ok ? fine("ok") : bad(data.answer?.error);
  if (one.kind === "delivery") return data.outcome === "acked" ? fine(`acked in ${data.milliseconds} ms`) : bad(data.outcome);
  if (one.kind === "act") return data.seen?.error ? bad(data.seen.error) : fine(data.user || "");
  return fine("");
}

const fine = (text) => ({ text, bad: false });
const bad = (text) => ({ text: text || "failed", bad: true });
