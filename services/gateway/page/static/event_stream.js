// The event stream of a batch. A hidden tab closes it, because a browser opens at most six connections to a server.

import { call, Refusal, sentenceOf } from "./api.js";

const CONNECTED_AGAIN_MS = 3000; // the delay with which browsers reopen a broken stream
const NOT_FOUND = 404;

export class EventStream {
  /** Open the stream; the listener has the methods opened, state (streamed), read, problem and unknown. */
  constructor(batchId, listener) {
    this.batchId = batchId;
    this.listener = listener;
    this.isOver = false;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.close() : this.open()));
    this.open();
  }

  open() {
    if (this.isOver || this.source || document.hidden) return;
    this.source = new EventSource(`v1/batch/events?${new URLSearchParams({ batch_id: this.batchId })}`);
    this.on("open", () => this.listener.opened());
    this.on("batch", (batch) => this.listener.state(batch));
    this.on("problem", (error) => this.listener.problem(new Refusal(sentenceOf(error))));
    this.on("refused", () => this.broken(this.close()));
    this.on("error", () => this.broken());
  }

  on(name, act) {
    this.source.addEventListener(name, ({ data }) => act(data && JSON.parse(data)));
  }

  /** Close the stream for good: no more events will come. */
  end() {
    this.isOver = true;
    this.close();
  }

  close() {
    this.source?.close();
    this.source = null;
  }

  /** Find out why the stream has broken, which an EventSource does not tell, and reopen it if the browser does not. */
  async broken() {
    if (this.isOver) return;
    if (this.source?.readyState === EventSource.CLOSED) this.close();
    if (!this.source) setTimeout(() => this.open(), CONNECTED_AGAIN_MS);
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
