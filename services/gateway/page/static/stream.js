// A stream of server-sent events. A hidden tab closes it, because a browser opens at most six connections to a server.

import { Refusal, sentenceOf } from "./api.js";

const CONNECTED_AGAIN_MS = 3000; // the delay with which browsers reopen a broken stream

export class Stream {
  /** Open the stream; the listener has the methods opened and problem, and those that the subclass calls. */
  constructor(address, listener) {
    this.address = address;
    this.listener = listener;
    this.isOver = false;
    this.onVisibility = () => (document.hidden ? this.close() : this.open());
    document.addEventListener("visibilitychange", this.onVisibility);
    this.open();
  }

  open() {
    if (this.isOver || this.source || document.hidden) return;
    this.source = new EventSource(this.address);
    this.on("open", () => this.listener.opened());
    this.on("problem", (error) => this.listener.problem(new Refusal(sentenceOf(error))));
    this.on("refused", (error) => {
      this.close();
      this.refused(new Refusal(sentenceOf(error)));
    });
    this.on("error", () => this.broken());
    this.listen();
  }

  on(name, act) {
    this.source.addEventListener(name, (event) => act(event.data && JSON.parse(event.data)));
  }

  /** Close the stream for good: no more events are wanted. */
  end() {
    this.isOver = true;
    document.removeEventListener("visibilitychange", this.onVisibility);
    this.close();
  }

  close() {
    this.source?.close();
    this.source = null;
  }

  /** Find out why the stream has broken, which an EventSource does not tell, and reopen it if the browser does not. */
  broken() {
    if (this.isOver) return;
    if (this.source?.readyState === EventSource.CLOSED) this.close();
    this.reopen();
    this.explain();
  }

  reopen(delayMs = CONNECTED_AGAIN_MS) {
    if (!this.source) setTimeout(() => this.open(), delayMs);
  }
}
