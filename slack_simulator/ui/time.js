// Times in the reader's own zone.

const part = (date, options) => new Intl.DateTimeFormat(undefined, options).format(date);
const clock = (date) => part(date, { hour: "2-digit", minute: "2-digit" });

// The workspace's clock may be ahead of this machine's; its "now" is what today and ago are counted from.
let ahead = 0;
const now = () => Date.now() + ahead;

export function setAhead(seconds) {
  ahead = seconds * 1000;
}

function pretty(date, long) {
  const days = Math.round((startOfDay(new Date(now())) - startOfDay(date)) / 86400000);
  return { 0: "today", 1: "yesterday", "-1": "tomorrow" }[days] || long;
}

function startOfDay(date) {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}

const FORMATS = {
  date_num: (d) => part(d, { year: "numeric", month: "2-digit", day: "2-digit" }),
  date: (d) => part(d, { year: "numeric", month: "long", day: "numeric" }),
  date_short: (d) => part(d, { year: "numeric", month: "short", day: "numeric" }),
  date_long: (d) => part(d, { weekday: "long", year: "numeric", month: "long", day: "numeric" }),
  date_pretty: (d) => pretty(d, FORMATS.date(d)),
  date_short_pretty: (d) => pretty(d, FORMATS.date_short(d)),
  date_long_pretty: (d) => pretty(d, FORMATS.date_long(d)),
  time: clock,
  time_secs: (d) => part(d, { hour: "2-digit", minute: "2-digit", second: "2-digit" }),
  ago: (d) => ago(d),
};

function ago(date) {
  const minutes = Math.round((date.getTime() - now()) / 60000);
  const say = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
  if (Math.abs(minutes) < 60) return say.format(minutes, "minute");
  return Math.abs(minutes) < 1440 ? say.format(Math.round(minutes / 60), "hour") : say.format(Math.round(minutes / 1440), "day");
}

// The body of `<!date^…>`: seconds and a format with {tokens}.
export function formatted(seconds, format) {
  const date = new Date(Number(seconds) * 1000);
  return format.replace(/\{([a-z_]+)\}/g, (whole, name) => (FORMATS[name] ? FORMATS[name](date) : whole));
}

export const dateOf = (ts) => new Date(Number(ts.split(".")[0]) * 1000);
export const clockOf = (ts) => clock(dateOf(ts));
// For narrow places: without AM and PM.
export const shortClockOf = (ts) =>
  new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" })
    .formatToParts(dateOf(ts))
    .filter((one) => one.type === "hour" || one.type === "minute")
    .map((one) => one.value)
    .join(":");
export const fullTime = (ts) => part(dateOf(ts), { dateStyle: "full", timeStyle: "medium" });
export const dayOf = (ts) => dateOf(ts).toDateString();

export function dayLabel(ts) {
  const label = FORMATS.date_long_pretty(dateOf(ts));
  return label[0].toUpperCase() + label.slice(1);
}
