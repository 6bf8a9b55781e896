// The event stream of all batches with some labels.

import { refusalOf, Refusal, SILENT } from "./api.js";
import { Stream } from "./stream.js";

const REOPENED_MS = 10000; // after a refusal that will hold for a while, such as too many batches under way

export class SelectionStream extends Stream {
  /** Open the stream; the listener has the methods opened, state, deleted, live (resumed), problem and broken. */
  constructor(labels, listener) {
    const query = new URLSearchParams(Object.entries(labels).map(([key, value]) => [`labels[${key}]`, value]));
    super(`v1/batches/events?${query}`, listener);
  }

  listen() {
    this.on("batch", (batch) => this.listener.state(batch));
    this.on("deleted", ({ batchId }) => this.listener.deleted(batchId));
    this.on("live", ({ resumed }) => this.listener.live(resumed));
  }

  refused(refusal) {
    this.listener.broken(refusal);
    this.reopen(REOPENED_MS);
  }

  async explain() {
    const ending = new AbortController();
    try {
      const response = await fetch(this.address, { headers: { accept: "text/event-stream" }, signal: ending.signal });
      if (!response.ok && !this.isOver) this.listener.broken(await refusalOf(response));
    } catch {
      if (!this.isOver) this.listener.broken(new Refusal(SILENT, 0));
    } finally {
      ending.abort();
    }
  }
}
