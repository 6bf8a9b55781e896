// A batch as a bar: what succeeded, failed and was skipped, side by side.

import { element, setAttribute } from "./dom.js";
import { spoken, stateOf } from "./wording.js";

const PARTS = ["succeeded", "failed", "skipped"];

export class Bar {
  constructor(label) {
    this.parts = PARTS.map((part) => element("span", { class: `part ${part}` }));
    const range = { role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": label };
    this.node = element("div", { class: "bar", ...range }, ...this.parts);
  }

  update(batch) {
    const total = Number(batch.total_jobs);
    PARTS.forEach((part, index) => {
      const share = total ? (100 * Number(batch[`${part}_jobs`])) / total : emptyShare(batch, part);
      this.parts[index].style.width = `${share}%`;
    });
    setAttribute(this.node, "data-kind", stateOf(batch).kind);
    setAttribute(this.node, "aria-valuenow", batch.percent_complete);
    setAttribute(this.node, "aria-valuetext", spoken(batch));
  }
}

/** Return how a batch without jobs looks: as far as it says that it is. */
const emptyShare = (batch, part) => (part === "succeeded" ? batch.percent_complete : 0);
