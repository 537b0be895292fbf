// What an element holds: as the app drew it, and as the workspace keeps it.

const option = (one) => one?.value ?? null;

export function initialValue(element) {
  if (element.initial_options) return element.initial_options.map(option);
  if (element.initial_option) return option(element.initial_option);
  for (const [key, value] of Object.entries(element)) {
    if (key.startsWith("initial_")) return value;
  }
  return null;
}

export function keptValue(entry) {
  if (!entry) return null;
  if (entry.selected_options) return entry.selected_options.map(option);
  if ("selected_option" in entry) return entry.type === "external_select" ? entry.selected_option : option(entry.selected_option);
  const key = Object.keys(entry).find((name) => name === "value" || name.startsWith("selected_"));
  return key ? entry[key] : null;
}
