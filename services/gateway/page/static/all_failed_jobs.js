// Every failed job of a batch: found by the beginning of its id, and downloaded as a file.

import { byId } from "./dom.js";
import { FailedJobs } from "./failed_jobs.js";

const TYPED_MS = 300; // people type faster than that
const FORMATS = ["csv", "jsonl"];

export class AllFailedJobs {
  constructor(batchId, open) {
    this.jobs = new FailedJobs(batchId, "All failed jobs", open);
    this.button = byId("all-failed-show");
    this.prefix = byId("all-failed-prefix");
    byId("all-failed-jobs").append(this.jobs.node);
    this.button.addEventListener("click", () => this.toggle());
    this.prefix.addEventListener("input", () => this.search());
    const query = new URLSearchParams({ batch_id: batchId });
    for (const format of FORMATS) byId(`download-${format}`).href = `v1/batch/failures.${format}?${query}`;
  }

  /** Offer the jobs if there are any with a row: a queue may only have counted them. */
  update(hasJobs) {
    byId("all-failed").hidden = !hasJobs;
  }

  toggle() {
    const opens = byId("all-failed-found").hidden;
    byId("all-failed-found").hidden = !opens;
    this.button.setAttribute("aria-expanded", String(opens));
    if (opens) this.list();
    else this.jobs.stop();
  }

  search() {
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.list(), TYPED_MS);
  }

  list() {
    this.jobs.list({ jobIdPrefix: this.prefix.value.trim() });
  }
}
