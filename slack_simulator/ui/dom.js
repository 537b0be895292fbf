// Builds elements. Text always becomes text nodes, so nothing anybody wrote is ever read as HTML.

export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
    else if (name === "data") for (const [key, one] of Object.entries(value)) setData(element, key, one);
    else if (name in PROPERTIES) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const PROPERTIES = { value: 1, checked: 1, disabled: 1, selected: 1, hidden: 1 };

function setData(element, key, value) {
  if (value !== undefined && value !== null) element.dataset[key] = value;
}

export function replace(parent, ...children) {
  parent.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

const ICONS = {
  close: "M5 5l10 10M15 5L5 15",
  send: "M3 10h13M11 4.5L16.5 10 11 15.5",
  thread: "M4 4h12v9H9l-4 3.5V13H4z",
  key: "M8 11.5a3.5 3.5 0 1 0-.01 0M10.3 10.3L17 17M14 14l2-2",
  lock: "M5 9h10v8H5zM7 9V6.5a3 3 0 0 1 6 0V9",
  hash: "M8 3.5L6.5 16.5M13.5 3.5L12 16.5M4 7.5h13M3.5 12.5h13",
  eye: "M2.5 10S5.5 5 10 5s7.5 5 7.5 5-3 5-7.5 5-7.5-5-7.5-5zM10 8a2 2 0 1 1-.01 0",
  warn: "M10 3l8 14H2zM10 8v4M10 14.4v.2",
  more: "M4.5 10h.01M10 10h.01M15.5 10h.01",
  home: "M3.5 9.5L10 4l6.5 5.5V16.5h-13z",
};

export function avatar(person, size = 36) {
  const image = h("span", { class: "avatar", "aria-hidden": "true" });
  image.style.setProperty("--size", `${size}px`);
  image.style.background = `#${person?.color || "777777"}`;
  if (person?.is_bot) image.append(icon("key"));
  else image.append(initials(person?.real_name || "?"));
  return image;
}

function initials(name) {
  const words = name.split(/\s+/).filter(Boolean);
  return (words[0][0] + (words.length > 1 ? words[words.length - 1][0] : "")).toUpperCase();
}
