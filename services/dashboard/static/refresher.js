// Asks again when something has changed, but not more often than a person reads, and until it is answered.

const APART_MS = 2000; // the dashboard itself asks the server no more often
const TRIED_AGAIN_MS = 4000;

export class Refresher {
  constructor(refresh) {
    this.refresh = refresh;
    this.wanted = null;
    this.done = null;
    this.isBusy = false;
  }

  /** Refresh if what it depends on has changed. */
  due(version) {
    this.wanted = version;
    if (!this.isBusy && this.wanted !== this.done) this.run();
  }

  async run() {
    this.isBusy = true;
    const version = this.wanted;
    let pause = APART_MS;
    try {
      await this.refresh();
      this.done = version;
    } catch {
      pause = TRIED_AGAIN_MS; // the connection's own line says why
    }
    setTimeout(() => {
      this.isBusy = false;
      if (this.wanted !== this.done) this.run();
    }, pause);
  }
}
