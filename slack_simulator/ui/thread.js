// The thread pane on the right.

import { Composer } from "./composer.js";
import { h, icon, replace } from "./dom.js";
import { MessageList } from "./messages.js";
import { go, tab } from "./state.js";

export class Thread {
  constructor(node) {
    this.node = node;
    this.list = new MessageList(true);
    this.composer = new Composer(true);
    this.head = h("header", { class: "head" });
    node.append(this.head, this.list.node, this.composer.node);
    node.addEventListener("keydown", (event) => event.key === "Escape" && this.close());
  }

  draw() {
    const thread = tab.data.thread;
    const open = Boolean(thread?.messages.length) && tab.pane !== "home";
    this.node.hidden = !open;
    if (!open) return;
    const channel = tab.data.channels.find((one) => one.id === tab.channel);
    const close = h("button", { type: "button", class: "plain", "aria-label": "Close thread", on: { click: () => this.close() } }, icon("close"));
    if (this.key !== channel?.id) replace(this.head, h("h1", {}, "Thread"), h("span", { class: "topic" }, channel?.name ? `#${channel.name}` : ""), close);
    this.key = channel?.id;
    this.list.show(thread.messages, `${tab.as} ${tab.channel} ${thread.ts}`);
    this.composer.show(channel);
  }

  close() {
    return go({ thread: "" });
  }
}
