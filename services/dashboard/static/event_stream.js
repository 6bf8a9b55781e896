// A batch as it changes. A tab that nobody looks at lets its stream go: a browser opens six to a server.

const CONNECTED_AGAIN_MS = 3000; // as browsers do by themselves, when a stream breaks

export class EventStream {
  /** Take what is told: history, state, problem, unknown. */
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

  /** Nothing more will come. */
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
    if (this.source.readyState !== EventSource.CLOSED) return; // it connects again by itself
    this.close();
    setTimeout(() => this.open(), CONNECTED_AGAIN_MS);
  }
}
