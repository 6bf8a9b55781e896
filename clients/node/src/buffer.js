// Holds unanswered reports in order and within bounds; does no I/O.

// The contract's limit for one call.
const CALL_REPORTS_MAX = 10_000;
// The contract allows 4 MiB for the whole message.
const CALL_BYTES_MAX = 4 * 1024 * 1024 - 64 * 1024;
// An hour without a server at 28 jobs a second; errors of 2,000 characters must not fill a worker's memory.
const BUFFER_REPORTS_MAX = 100_000;
const BUFFER_BYTES_MAX = 32 * 1024 * 1024;

/** Unanswered reports: those in flight, then those that wait. */
export class Buffer {
  #waiting = [];
  #inFlight = [];
  #bytes = 0;
  #callReports = CALL_REPORTS_MAX;

  get length() {
    return this.#waiting.length + this.#inFlight.length;
  }

  /** Adds an entry, `{ report, size, answer }`; returns false if there is no room. */
  add(entry) {
    if (this.length >= BUFFER_REPORTS_MAX || this.#bytes + entry.size > BUFFER_BYTES_MAX) return false;
    this.#bytes += entry.size;
    this.#waiting.push(entry);
    return true;
  }

  /** Puts the oldest entries in flight: as many as one call may carry, and at least one. Returns them. */
  claim() {
    let bytes = 0;
    let count = 0;
    while (count < Math.min(this.#callReports, this.#waiting.length)) {
      bytes += this.#waiting[count].size;
      if (count > 0 && bytes > CALL_BYTES_MAX) break;
      count++;
    }
    this.#inFlight = this.#waiting.splice(0, count);
    return this.#inFlight;
  }

  /** Ends a call that was answered, and returns the entries without an answer of their own to the front. */
  answered(unanswered = []) {
    this.#callReports = Math.min(CALL_REPORTS_MAX, 2 * this.#callReports);
    this.#finish(unanswered);
    this.#waiting.unshift(...unanswered);
  }

  /**
   * Ends a call that may have been too large, or that a proxy may dislike: the next one carries half as many. A
   * report that does not pass alone lets the others overtake it.
   */
  failed() {
    const entries = this.#inFlight;
    this.#callReports = Math.max(1, Math.floor(entries.length / 2));
    this.#finish(entries);
    if (entries.length > 1) this.#waiting.unshift(...entries);
    else this.#waiting.push(...entries);
  }

  /** Removes and returns every entry. */
  clear() {
    const entries = [...this.#inFlight, ...this.#waiting];
    this.#inFlight = [];
    this.#waiting = [];
    this.#bytes = 0;
    return entries;
  }

  #finish(kept) {
    this.#bytes += total(kept) - total(this.#inFlight);
    this.#inFlight = [];
  }
}

function total(entries) {
  return entries.reduce((sum, { size }) => sum + size, 0);
}
