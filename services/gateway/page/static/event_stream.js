// The event stream of a batch.

import { call } from "./api.js";
import { Stream } from "./stream.js";

const NOT_FOUND = 404;

export class EventStream extends Stream {
  /** Open the stream; the listener has the methods opened, state (streamed), read, problem and unknown. */
  constructor(batchId, listener) {
    super(`v1/batch/events?${new URLSearchParams({ batch_id: batchId })}`, listener);
    this.batchId = batchId;
  }

  listen() {
    this.on("batch", (batch) => this.listener.state(batch));
  }

  refused() {
    this.broken();
  }

  async explain() {
    try {
      const { batch } = await call("GetBatch", { batchId: this.batchId });
      if (!this.isOver) this.listener.read(batch);
    } catch (error) {
      if (this.isOver) return;
      if (error.status === NOT_FOUND) this.listener.unknown(error);
      else this.listener.problem(error);
    }
  }
}
