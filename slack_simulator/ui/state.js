// What is on this tab's screen, where it comes from, and how this tab's person acts.

import { setAhead } from "./time.js";

const query = new URLSearchParams(location.search);
const listeners = [];

export const tab = {
  as: query.get("as") || "",
  channel: query.get("channel") || "",
  thread: query.get("thread") || "",
  pane: query.get("pane") || "channel", // channel or home
  jump: query.get("message") || "",
  data: null,
  offline: false,
};

export function onChange(listener) {
  listeners.push(listener);
}

export function person(id) {
  return tab.data?.people.find((one) => one.id === id);
}

export function me() {
  return person(tab.data.me);
}

export async function act(verb, args) {
  return post("/sim/act", { as: tab.as, verb, args });
}

export async function post(path, body) {
  try {
    const response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    return await response.json();
  } catch {
    return { error: "The local workspace does not answer." };
  }
}

export async function go(change) {
  Object.assign(tab, change);
  const kept = { as: tab.as, channel: tab.channel, thread: tab.thread, pane: tab.pane === "home" ? "home" : "" };
  const search = new URLSearchParams(Object.entries(kept).filter(([, value]) => value));
  history.replaceState(null, "", `/ui/?${search}`);
  await refresh();
}

let running = false;
let again = false;

// Fetches the screen. Calls during a fetch are folded into one more fetch after it.
export async function refresh() {
  if (running) {
    again = true;
    return;
  }
  running = true;
  try {
    do {
      again = false;
      await fetchOnce();
    } while (again);
  } finally {
    running = false;
  }
}

async function fetchOnce() {
  const search = new URLSearchParams({ as: tab.as, channel: tab.channel, thread: tab.thread });
  try {
    const response = await fetch(`/sim/state?${search}`);
    if (!response.ok) throw new Error(String(response.status));
    tab.data = await response.json();
    setAhead(tab.data.skipped);
    tab.offline = false;
    tab.channel = tab.data.channel || "";
  } catch {
    tab.offline = true;
  }
  for (const listener of listeners) listener();
}

export async function start() {
  if (!tab.as) tab.as = "";
  await pickPerson();
  await go({});
  listen();
}

// A browser opens only six connections to one address, and a stream keeps one for itself. So the tabs share a stream:
// the one that gets the lock passes every change on, and when it closes the next takes over.
function listen() {
  const others = new BroadcastChannel("changes");
  others.onmessage = refresh;
  const changed = () => {
    others.postMessage("");
    refresh();
  };
  const hold = () =>
    new Promise(() => {
      const stream = new EventSource("/ui/events");
      stream.onmessage = changed;
      stream.onerror = changed;
    });
  navigator.locks.request("stream", hold);
}

async function pickPerson() {
  if (tab.as) {
    const found = await fetch(`/sim/state?as=${encodeURIComponent(tab.as)}`);
    if (found.ok) return;
  }
  const known = await (await fetch("/sim/people")).json();
  tab.as = known.find((one) => !one.is_bot)?.name || "";
}

// Unread marks: what this tab's person has looked at, counted from when the tab was opened.
const opened = sessionStorage.getItem("opened") || String(Date.now() / 1000);
sessionStorage.setItem("opened", opened);

export function isUnread(channel) {
  const seen = sessionStorage.getItem(`seen ${tab.as} ${channel.id}`) || opened;
  return channel.last_ts !== "" && Number(channel.last_ts) > Number(seen);
}

export function markSeen(channel) {
  if (channel?.last_ts) sessionStorage.setItem(`seen ${tab.as} ${channel.id}`, channel.last_ts);
}
