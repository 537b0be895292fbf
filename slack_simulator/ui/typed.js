// What has been typed into views of this tab, so that an update by the app does not take it away.

import { act } from "./state.js";
import { keptValue } from "./values.js";

export class Typed {
  constructor() {
    this.views = {};
  }

  values(view) {
    return this.views[view.id] || {};
  }

  // The blocks' ctx for a view. Input blocks only remember; everything else goes to the app.
  context(view, errors) {
    const mine = (this.views[view.id] ||= {});
    const put = (block, element, value) => ((mine[block.block_id] ||= {})[element.action_id] = value);
    return {
      errors,
      value: (block, element) => {
        const typed = mine[block.block_id]?.[element.action_id];
        return typed !== undefined ? typed : keptValue(view.state.values[block.block_id]?.[element.action_id]);
      },
      typed: (element, block, value) => put(block, element, value),
      act: async (element, block, value) => {
        if (element.type !== "button" && element.type !== "overflow") put(block, element, value);
        if (block.type === "input" && !block.dispatch_action) return {};
        await act("fill", { values: mine, view_id: view.id });
        return act("click_view", { action_id: element.action_id, block_id: block.block_id, value, view_id: view.id });
      },
    };
  }
}
