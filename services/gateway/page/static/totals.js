// The number of batches in each state, beside the choices of the filter.

import { call } from "./api.js";
import { setText } from "./dom.js";
import { requestOf } from "./search.js";
import { count } from "./wording.js";

export const COUNTED_MAX = 10000; // the contract's
const FRESH_MS = 9000; // below the interval in which changes are counted: six calls for each page that is open

export class Totals {
  constructor(form) {
    this.places = [...form.querySelectorAll("[data-total]")];
    this.query = null;
    this.countedMs = 0;
  }

  /** Count if the filters have changed or the numbers are old, and return whether; those of batches with a text are not known. */
  refresh(filters, signal) {
    const query = JSON.stringify(filters.values());
    if (query === this.query && performance.now() - this.countedMs < FRESH_MS) return false;
    if (query !== this.query) for (const place of this.places) setText(place, "");
    [this.query, this.countedMs] = [query, performance.now()];
    // Batches with a text are searched, not counted.
    if (!filters.text) for (const place of this.places) this.count(place, filters, signal);
    return true;
  }

  async count(place, filters, signal) {
    const { total } = place.dataset;
    const chosen = total === "failures" ? { failures: true } : { state: total };
    try {
      const request = { ...requestOf({ ...filters.values(), ...chosen }), pageSize: 1 };
      setText(place, totalOf(await call("ListBatches", request, signal)));
    } catch {
      this.query = null; // the list says why; the next refresh counts again
    }
  }
}

/** Return a number such as "1,037" or "10,000+"; empty if the server does not know it. */
export function totalOf({ batches = [], nextPageToken = "", totalSize = 0 }) {
  if (totalSize >= COUNTED_MAX) return `${count(COUNTED_MAX)}+`;
  return totalSize || !(batches.length || nextPageToken) ? count(totalSize) : "";
}
