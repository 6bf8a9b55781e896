// The jobs of a stalled batch that were pending in the queue when the reconciler last looked.

import { call } from "./api.js";
import { byId, element, setChildren, setText } from "./dom.js";
import { Refresher } from "./refresher.js";
import { ago, count, sentence } from "./wording.js";

const SHOWN_MAX = 100; // as many as a person reads; the command line lists more

export class PendingJobs {
  constructor(batchId) {
    this.batchId = batchId;
    this.found = null;
    this.refresher = new Refresher(() => this.refresh());
  }

  /** Show the section while the batch is stalled, and ask again when its reason has changed. */
  update(batch) {
    if (batch.stallReason) this.refresher.due(batch.stallReason);
    byId("pending-card").hidden = !(batch.stallReason && this.found?.lookTime);
    if (this.found?.lookTime) setText(byId("pending-look"), `looked at ${ago(this.found.lookTime)}`);
  }

  async refresh() {
    this.found = await call("ListPendingJobs", { batchId: this.batchId, pageSize: SHOWN_MAX + 1 });
    const jobs = this.found.pendingJobs;
    setText(byId("pending-reason"), sentence(this.found.reason));
    byId("pending-table").hidden = jobs.length === 0;
    setChildren(byId("pending"), jobs.slice(0, SHOWN_MAX).map(rowOf));
    byId("pending-more").hidden = jobs.length <= SHOWN_MAX;
    const shown = `The first ${count(SHOWN_MAX)} jobs.`;
    setText(byId("pending-more"), `${shown} The command batchprogress pending lists more.`);
  }
}

function rowOf(job) {
  const cells = [element("code", {}, job.jobId), job.displayName, count(job.attempt)];
  return element("tr", {}, ...cells.map((cell) => element("td", {}, cell)));
}
