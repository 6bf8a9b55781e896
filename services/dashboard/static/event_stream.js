// The event stream of a batch. A hidden tab closes it, because a browser opens at most six connections to a server.

const CONNECTED_AGAIN_MS = 3000; // the delay with which browsers reopen a broken stream

export class EventStream {
  /** Open the stream; the listener has a method for each event: history, state, problem, unknown. */
  constructor(batchId, listener) {
    this.query = new URLSearchParams({ id: batchId });
    this.listener = listener;
    this.isOver = false;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.close() : this.open()));
    this.open();
  }

  open() {
    if (this.isOver || this.source || document.hidden) return;
    this.source = new EventSource(`api/batch/events?${this.query}`);
    for (const name of ["history", "state", "problem", "unknown"]) {
      this.source.addEventListener(name, (event) => this.listener[name](JSON.parse(event.data)));
    }
    this.source.addEventListener("error", () => this.broken());
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

  broken() {
    if (this.isOver || !this.source) return;
    this.listener.problem({ message: "The dashboard does not answer." });
    if (this.source.readyState !== EventSource.CLOSED) return; // the browser reconnects by itself
    this.close();
    setTimeout(() => this.open(), CONNECTED_AGAIN_MS);
  }
}
