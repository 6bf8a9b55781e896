// Repeats a request after each change, but not more often than a person reads, and retries it until it is answered.

const INTERVAL_MS_MIN = 2000; // twice as long as the gateway shares an answer
const RETRY_MS = 4000;

export class Refresher {
  constructor(refresh) {
    this.refresh = refresh;
    this.wanted = null;
    this.done = null;
    this.isBusy = false;
  }

  /** Refresh if the version has changed since the last refresh. */
  due(version) {
    this.wanted = version;
    if (!this.isBusy && this.wanted !== this.done) this.run();
  }

  async run() {
    this.isBusy = true;
    const version = this.wanted;
    let pause = INTERVAL_MS_MIN;
    try {
      await this.refresh();
      this.done = version;
    } catch {
      pause = RETRY_MS; // the connection line at the top says why
    }
    setTimeout(() => {
      this.isBusy = false;
      if (this.wanted !== this.done) this.run();
    }, pause);
  }
}
