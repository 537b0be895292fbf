// Blocks as DOM. `ctx` says what the elements inside do: act(element, block, value), value(block, element), errors.

import { h } from "./dom.js";
import { element } from "./elements.js";
import { withEmoji } from "./emoji.js";
import { mrkdwn } from "./mrkdwn.js";
import { richText } from "./richtext.js";

export function text(object) {
  if (object.type === "mrkdwn") return mrkdwn(object.text);
  return [h("span", { class: "pre-line" }, object.emoji === false ? object.text : withEmoji(object.text))];
}

export function blocks(list, ctx) {
  return list.map((block) => {
    const draw = DRAW[block.type];
    const body = draw ? draw(block, ctx) : h("em", { class: "quiet" }, `A block of type ${block.type}`);
    return h("div", { class: `block block-${block.type}`, data: { blockId: block.block_id } }, body);
  });
}

const DRAW = {
  section: (block, ctx) =>
    h(
      "div",
      { class: "section" },
      h(
        "div",
        { class: "section-body" },
        block.text && h("div", { class: "section-text" }, text(block.text)),
        block.fields && h("div", { class: "fields" }, block.fields.map((one) => h("div", { class: "field" }, text(one)))),
      ),
      block.accessory && h("div", { class: "accessory" }, element(block.accessory, block, ctx)),
    ),
  actions: (block, ctx) => h("div", { class: "actions" }, block.elements.map((one) => element(one, block, ctx))),
  context: (block) =>
    h("div", { class: "context" }, block.elements.map((one) => (one.type === "image" ? picture(one) : h("span", {}, text(one))))),
  divider: () => h("hr"),
  header: (block) => h("h3", { class: "header" }, text(block.text)),
  image: (block) => h("figure", {}, block.title && h("figcaption", {}, text(block.title)), picture(block)),
  markdown: (block) => h("div", {}, mrkdwn(block.text.replace(/\*\*(.+?)\*\*/g, "*$1*"))),
  rich_text: richText,
  input: input,
  table: (block) =>
    h("table", {}, block.rows.map((row) => h("tr", {}, row.map((cell) => h("td", {}, cell.type === "raw_text" ? cell.text : richText(cell)))))),
};

function picture(one) {
  return h("span", { class: "picture", role: "img", "aria-label": one.alt_text, title: one.image_url }, one.alt_text);
}

function input(block, ctx) {
  const id = `field-${block.block_id}`;
  const error = ctx.errors?.[block.block_id];
  const described = `${id}-note`;
  const control = element(block.element, block, { ...ctx, id, described, invalid: Boolean(error) });
  const many = ["radio_buttons", "checkboxes"].includes(block.element.type) || block.element.type.startsWith("multi_");
  const label = h(many ? "div" : "label", { class: "label", for: many ? null : id, id: `${id}-label` }, text(block.label));
  if (block.optional) label.append(h("span", { class: "quiet" }, " (optional)"));
  return h(
    "div",
    { class: `input${error ? " wrong" : ""}` },
    label,
    control,
    h(
      "div",
      { id: described, class: "note", role: error ? "alert" : null },
      error ? h("span", { class: "error-text" }, error) : block.hint && h("span", { class: "quiet" }, text(block.hint)),
    ),
  );
}
