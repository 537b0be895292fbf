// The emoji that bots use; an unknown shortcode stays as it was written.

export const EMOJI = {
  white_check_mark: "✅", heavy_check_mark: "✔️", x: "❌", no_entry: "⛔", no_entry_sign: "🚫", warning: "⚠️",
  lock: "🔒", unlock: "🔓", key: "🔑", old_key: "🗝️", closed_lock_with_key: "🔐", shield: "🛡️",
  hourglass: "⌛", hourglass_flowing_sand: "⏳", stopwatch: "⏱️", alarm_clock: "⏰", timer_clock: "⏲️",
  large_green_circle: "🟢", green_circle: "🟢", red_circle: "🔴", large_yellow_circle: "🟡", white_circle: "⚪",
  black_circle: "⚫", large_blue_circle: "🔵", large_orange_circle: "🟠", rotating_light: "🚨", eyes: "👀",
  mag: "🔍", memo: "📝", page_facing_up: "📄", clipboard: "📋", scroll: "📜", link: "🔗", file_folder: "📁",
  thread: "🧵", bell: "🔔", no_bell: "🔕", speech_balloon: "💬", point_right: "👉", wave: "👋", "+1": "👍",
  thumbsup: "👍", "-1": "👎", thumbsdown: "👎", tada: "🎉", rocket: "🚀", fire: "🔥", bulb: "💡", gear: "⚙️",
  wrench: "🔧", hammer_and_wrench: "🛠️", computer: "💻", database: "🗄️", file_cabinet: "🗄️", robot_face: "🤖",
  information_source: "ℹ️", question: "❓", exclamation: "❗", heavy_plus_sign: "➕", arrow_right: "➡️",
  repeat: "🔁", arrows_counterclockwise: "🔄", scissors: "✂️", wastebasket: "🗑️", zzz: "💤", crown: "👑",
  smile: "😄", slightly_smiling_face: "🙂", thinking_face: "🤔", heart: "❤️", star: "⭐", sparkles: "✨",
};

export function withEmoji(text) {
  return text.replace(/:([a-z0-9_+-]+):/g, (whole, name) => EMOJI[name] || whole);
}
