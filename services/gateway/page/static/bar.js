// The bar of a batch: the shares of succeeded, failed and skipped jobs, side by side.

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
    const total = Number(batch.totalJobs);
    PARTS.forEach((part, index) => {
      const share = total ? (100 * Number(batch[`${part}Jobs`])) / total : emptyShare(batch, part);
      this.parts[index].style.width = `${share}%`;
    });
    setAttribute(this.node, "data-kind", stateOf(batch).kind);
    setAttribute(this.node, "aria-valuenow", batch.percentComplete);
    setAttribute(this.node, "aria-valuetext", spoken(batch));
  }
}

/** Return the share of a part in a batch without jobs: its own percentage, shown as succeeded. */
const emptyShare = (batch, part) => (part === "succeeded" ? batch.percentComplete : 0);
