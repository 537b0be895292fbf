// The middle: a channel with its messages, or the app's home tab.

import { Composer } from "./composer.js";
import { h, icon, replace } from "./dom.js";
import { drawHome, openHome } from "./home.js";
import { MessageList } from "./messages.js";
import { go, person, tab } from "./state.js";

export class Main {
  constructor(node) {
    this.head = h("header", { class: "head" });
    this.banner = h("div", { class: "banner", role: "status", hidden: true });
    this.list = new MessageList(false);
    this.composer = new Composer(false);
    this.home = h("div", { class: "home", hidden: true });
    node.append(this.head, this.banner, this.list.node, this.home, this.composer.node);
  }

  draw() {
    const channel = tab.data.channels.find((one) => one.id === tab.channel);
    const withApp = channel?.kind === "im" && channel.with === tab.data.app.user;
    const home = tab.pane === "home" && withApp && tab.data.home_tab;
    this.drawHead(channel, withApp, home);
    this.drawBanner();
    this.list.node.hidden = home;
    this.composer.node.hidden = home;
    this.home.hidden = !home;
    if (home) return drawHome(this.home);
    this.list.show(tab.data.messages, `${tab.as} ${tab.channel}`);
    this.composer.show(channel);
  }

  drawHead(channel, withApp, home) {
    const key = JSON.stringify([channel?.id, channel?.topic, channel?.members, channel?.external, home, tab.data.home_tab]);
    if (key === this.key) return;
    this.key = key;
    if (!channel) return replace(this.head, h("h1", {}, "Nothing here yet"));
    const title = channel.kind === "im" ? person(channel.with)?.real_name : channel.name;
    const sign = channel.kind === "im" ? null : icon(channel.kind === "private" ? "lock" : "hash");
    replace(
      this.head,
      h("h1", {}, sign, title),
      withApp && tab.data.home_tab && tabs(home),
      channel.topic && h("span", { class: "topic" }, channel.topic),
      channel.external && h("span", { class: "tag warm" }, "shared with another company"),
      channel.kind !== "im" && h("span", { class: "members quiet" }, `${channel.members} members`),
    );
  }

  drawBanner() {
    const text = tab.offline
      ? "The local workspace does not answer. Start it again; this page reconnects by itself."
      : tab.data.connected
        ? ""
        : `${tab.data.app.name} is not connected. Commands and buttons fail until it is back.`;
    this.banner.hidden = !text;
    if (this.banner.textContent !== text) replace(this.banner, icon("warn"), text);
  }
}

function tabs(home) {
  const one = (name, label, here, act) =>
    h("button", { type: "button", role: "tab", "aria-selected": String(here), class: here ? "here" : "", data: { tab: name }, on: { click: act } }, label);
  return h(
    "div",
    { class: "tabs", role: "tablist" },
    one("home", "Home", home, openHome),
    one("messages", "Messages", !home, () => go({ pane: "channel" })),
  );
}
