// Interactive elements. Every one carries data-action-id and its block's data-block-id, for keyboards and tests alike.

import { confirmed } from "./confirm.js";
import { h, icon } from "./dom.js";
import { withEmoji } from "./emoji.js";
import { mrkdwn } from "./mrkdwn.js";
import { act, tab } from "./state.js";

export function element(one, block, ctx) {
  const draw = DRAW[one.type];
  return draw ? draw(one, block, ctx) : h("em", { class: "quiet" }, one.type);
}

const label = (text) => (text?.type === "mrkdwn" ? mrkdwn(text.text) : [withEmoji(text?.text || "")]);
const ids = (one, block) => ({ blockId: block.block_id, actionId: one.action_id });

// Runs an action with its confirmation, a spinner while it is on its way, and a mark when it did not arrive.
async function run(node, one, block, ctx, value) {
  if (one.confirm && !(await confirmed(one.confirm))) return;
  node.parentElement?.querySelector(".failed")?.remove();
  node.classList.add("busy");
  node.setAttribute("aria-busy", "true");
  const seen = await ctx.act(one, block, value);
  node.classList.remove("busy");
  node.removeAttribute("aria-busy");
  if (seen?.error) node.after(h("span", { class: "failed", role: "alert", title: seen.error }, icon("warn"), failure(seen.error)));
}

function failure(code) {
  const known = {
    operation_timeout: "The app did not answer in time. Try again.",
    dispatch_failed: "The app answered with an error.",
    app_not_connected: "The app is not connected.",
  };
  return known[code] || code;
}

function button(one, block, ctx) {
  const node = h(
    "button",
    {
      type: "button",
      class: `button ${one.style || "default"}`,
      "aria-label": one.accessibility_label,
      data: { ...ids(one, block), value: one.value },
      on: {
        click: () => {
          if (/^https?:/i.test(one.url || "")) window.open(one.url, "_blank", "noreferrer,noopener");
          return node.classList.contains("busy") ? null : run(node, one, block, ctx, one.value ?? null);
        },
      },
    },
    h("span", {}, label(one.text)),
  );
  return node;
}

// A native select; `choices` are [value, label] or {group, choices}.
function select(one, block, ctx, choices, current) {
  const empty = h("option", { value: "", disabled: false }, one.placeholder ? label(one.placeholder) : "Choose");
  const option = ([value, name]) => h("option", { value, selected: value === current }, name);
  const groups = choices.map((c) => (Array.isArray(c) ? option(c) : h("optgroup", { label: c.group }, c.choices.map(option))));
  const node = h(
    "select",
    {
      ...common(one, block, ctx),
      on: { change: () => run(node, one, block, ctx, node.value || null) },
    },
    empty,
    groups,
  );
  if (!current) node.value = "";
  return node;
}

const common = (one, block, ctx) => ({
  id: ctx.id,
  class: "control",
  data: { ...ids(one, block), dispatch: block.dispatch_action || null },
  "aria-describedby": ctx.described,
  "aria-invalid": ctx.invalid ? "true" : null,
  "aria-label": ctx.id ? null : one.placeholder?.text || one.action_id,
});

const optionChoice = (option) => [option.value, label(option.text).join("")];
const optionChoices = (one) =>
  one.option_groups
    ? one.option_groups.map((group) => ({ group: group.label.text, choices: group.options.map(optionChoice) }))
    : one.options.map(optionChoice);
const people = () => tab.data.people.filter((p) => !p.deleted && !p.is_bot).map((p) => [p.id, p.real_name]);
const channels = () => tab.data.channels.filter((c) => c.kind !== "im").map((c) => [c.id, `#${c.name}`]);

function typed(one, block, ctx, type, more = {}) {
  const tag = one.multiline ? "textarea" : "input";
  const node = h(tag, {
    ...common(one, block, ctx),
    type: tag === "input" ? type : null,
    rows: one.multiline ? 4 : null,
    placeholder: one.placeholder?.text,
    autocomplete: "off",
    autofocus: one.focus_on_load,
    ...more,
    on: {
      input: () => ctx.typed(one, block, node.value),
      keydown: (event) => {
        if (event.key === "Enter" && tag === "input" && block.dispatch_action) run(node, one, block, ctx, node.value);
      },
    },
  });
  node.value = ctx.value(block, one) ?? "";
  return node;
}

function picked(one, block, ctx, type) {
  const node = typed(one, block, ctx, type);
  node.addEventListener("change", () => run(node, one, block, ctx, node.value || null));
  return node;
}

function moment(one, block, ctx) {
  const current = ctx.value(block, one);
  const node = h("input", {
    ...common(one, block, ctx),
    type: "datetime-local",
    on: { change: () => run(node, one, block, ctx, node.value ? Math.floor(new Date(node.value).getTime() / 1000) : null) },
  });
  if (current) node.value = new Date(current * 1000 - new Date().getTimezoneOffset() * 60000).toISOString().slice(0, 16);
  return node;
}

// Radio buttons and checkboxes, also standing in for multi selects.
function choices(one, block, ctx, type, options) {
  const now = ctx.value(block, one);
  const current = new Set(Array.isArray(now) ? now : [now].filter(Boolean));
  const box = h("div", { class: "choices", role: type === "radio" ? "radiogroup" : "group", "aria-labelledby": ctx.id && `${ctx.id}-label`, data: ids(one, block) });
  const changed = () => {
    const chosen = [...box.querySelectorAll("input:checked")].map((input) => input.value);
    run(box, one, block, ctx, type === "radio" ? chosen[0] : chosen);
  };
  for (const option of options) {
    const input = h("input", { type, name: `${block.block_id}-${one.action_id}`, value: option.value, checked: current.has(option.value), on: { change: changed } });
    box.append(h("label", { class: "choice" }, input, h("span", {}, label(option.text), option.description && h("span", { class: "quiet block-line" }, label(option.description)))));
  }
  return box;
}

const asOptions = (pairs) => pairs.map(([value, name]) => ({ value, text: { type: "plain_text", text: name } }));
const flat = (one) => one.options || one.option_groups.flatMap((group) => group.options);

function overflow(one, block, ctx) {
  const menu = h("div", { class: "menu", role: "menu", hidden: true });
  const open = h("button", { type: "button", class: "button default", "aria-label": "More actions", "aria-haspopup": "menu", data: ids(one, block), on: { click: () => (menu.hidden = !menu.hidden) } }, icon("more"));
  for (const option of one.options) {
    const choose = () => {
      menu.hidden = true;
      run(open, one, block, ctx, option.value);
    };
    menu.append(h("button", { type: "button", role: "menuitem", data: { value: option.value }, on: { click: choose } }, label(option.text)));
  }
  return h("span", { class: "overflow" }, open, menu);
}

function external(one, block, ctx) {
  const list = h("div", { class: "menu", role: "listbox", hidden: true });
  const node = h("input", { ...common(one, block, ctx), type: "search", role: "combobox", "aria-expanded": "false", placeholder: one.placeholder?.text, autocomplete: "off" });
  const choose = (option) => {
    node.value = option.text.text;
    list.hidden = true;
    run(node, one, block, ctx, option);
  };
  node.addEventListener("input", async () => {
    if (node.value.length < (one.min_query_length ?? 3)) return (list.hidden = true);
    const found = await act("suggest", { action_id: one.action_id, query: node.value });
    list.replaceChildren(...(Array.isArray(found) ? found : []).map((option) => h("button", { type: "button", role: "option", on: { click: () => choose(option) } }, label(option.text))));
    list.hidden = false;
  });
  node.value = ctx.value(block, one)?.text?.text ?? "";
  return h("span", { class: "overflow" }, node, list);
}

const DRAW = {
  button,
  overflow,
  image: (one) => h("span", { class: "picture", role: "img", "aria-label": one.alt_text }, one.alt_text),
  static_select: (one, b, ctx) => select(one, b, ctx, optionChoices(one), ctx.value(b, one)),
  users_select: (one, b, ctx) => select(one, b, ctx, people(), ctx.value(b, one)),
  channels_select: (one, b, ctx) => select(one, b, ctx, channels(), ctx.value(b, one)),
  conversations_select: (one, b, ctx) => select(one, b, ctx, channels(), ctx.value(b, one)),
  external_select: external,
  multi_external_select: external,
  radio_buttons: (one, b, ctx) => choices(one, b, ctx, "radio", one.options),
  checkboxes: (one, b, ctx) => choices(one, b, ctx, "checkbox", one.options),
  multi_static_select: (one, b, ctx) => choices(one, b, ctx, "checkbox", flat(one)),
  multi_users_select: (one, b, ctx) => choices(one, b, ctx, "checkbox", asOptions(people())),
  multi_channels_select: (one, b, ctx) => choices(one, b, ctx, "checkbox", asOptions(channels())),
  multi_conversations_select: (one, b, ctx) => choices(one, b, ctx, "checkbox", asOptions(channels())),
  plain_text_input: (one, b, ctx) => typed(one, b, ctx, "text"),
  email_text_input: (one, b, ctx) => typed(one, b, ctx, "text", { inputmode: "email" }),
  url_text_input: (one, b, ctx) => typed(one, b, ctx, "text", { inputmode: "url" }),
  number_input: (one, b, ctx) => typed(one, b, ctx, "text", { inputmode: "decimal" }),
  datepicker: (one, b, ctx) => picked(one, b, ctx, "date"),
  timepicker: (one, b, ctx) => picked(one, b, ctx, "time"),
  datetimepicker: moment,
};
