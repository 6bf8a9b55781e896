import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { Buffer } from "./buffer.js";
import { closeAtExit, forget } from "./exit.js";
import { Failure } from "./failure.js";
import { because, newReport, sizeOf } from "./report.js";
import { JobOutcome, ReportErrorSchema, ReportedResultSchema } from "./generated/batchprogress/v1/progress_pb.js";

const TRY_MS_MAX = 10_000;
const CLOSE_MS_MAX = 10_000;
// A rollout of the servers takes less.
const OUTAGE_MS_QUIET = 30_000;
const POWER_OF_TEN = /^10*$/;
// What a report takes in its call besides its own bytes: a tag and a length.
const FRAME_BYTES_MAX = 6;
const RETRIED_CODES = new Set([Code.Unavailable, Code.Canceled, Code.DeadlineExceeded, Code.ResourceExhausted]);

/**
 * Reports how jobs end, in the background, until the server answers. A report is counted once, however often it
 * is sent. While one call is under way, further reports wait and share the next one.
 */
export class Reporter {
  #connection;
  #batchId;
  #buffer = new Buffer();
  #log;
  #isSending = false;
  #isClosed = false;
  #isEnding = false;
  #tries = 0;
  #failingSince = 0;
  #isOutageLogged = false;
  #refused = new Map();
  #wake = () => {};
  #timer;
  #flushes = new Set();

  constructor(connection, batchId, { log = console.warn, closesAtExit = true } = {}) {
    this.#connection = connection;
    this.#batchId = batchId;
    this.#log = (sentence) => {
      try {
        log(sentence);
      } catch {
        // A log that fails must not keep reports from being sent.
      }
    };
    if (closesAtExit) closeAtExit(this);
  }

  /** The number of reports without an answer. */
  get unanswered() {
    return this.#buffer.length;
  }

  succeeded(jobId, options) {
    return this.#report(jobId, JobOutcome.SUCCEEDED, options);
  }

  /** Reports a failure; `error` is an Error, or a message. */
  failed(jobId, error, options) {
    return this.#report(jobId, JobOutcome.FAILED, { ...because(error), ...options });
  }

  skipped(jobId, options) {
    return this.#report(jobId, JobOutcome.SKIPPED, options);
  }

  /** Waits until every report is answered, for ever if `timeoutMs` is Infinity; returns whether that happened in time. */
  async flush(timeoutMs = CLOSE_MS_MAX) {
    if (this.#buffer.length === 0) return true;
    this.#tries = 0;
    this.#wake();
    this.#timer?.ref();
    return new Promise((resolve) => {
      const end = (isEmpty) => {
        clearTimeout(timer);
        this.#flushes.delete(end);
        resolve(isEmpty);
      };
      const timer = timeoutMs === Infinity ? undefined : setTimeout(end, timeoutMs, false);
      this.#flushes.add(end);
    });
  }

  /** Flushes and ends. Reports without an answer are then left to the reconciler; returns how many. */
  async close(timeoutMs = CLOSE_MS_MAX) {
    this.#isClosed = true;
    await this.flush(timeoutMs);
    this.#isEnding = true;
    const unsent = this.#buffer.clear();
    for (const { answer } of unsent)
      answer(refusal(Code.Unavailable, "UNSENT", "the reporter was closed before the server answered"));
    if (unsent.length > 0) this.#log(`${unsent.length} reports are unsent at the end: only a reconciler recovers them`);
    this.#wake();
    this.#connection.close();
    forget(this);
    return unsent.length;
  }

  /** Lets `await using` close it. */
  async [Symbol.asyncDispose]() {
    await this.close();
  }

  // The promise is never rejected: a problem of progress must not fail a job that does not wait for it.
  #report(jobId, outcome, { batchId = this.#batchId, ...options } = {}) {
    const report = newReport(batchId, jobId, outcome, options);
    return new Promise((resolve) => {
      const why = this.#accept({ report, answer: resolve });
      if (why) resolve(this.#refuse(report, ...why));
      else if (!this.#isSending) void this.#send();
    });
  }

  // Puts a report into the buffer, or returns why not.
  #accept(entry) {
    if (this.#isClosed) return [Code.FailedPrecondition, "CLOSED", "the reporter is closed"];
    try {
      entry.size = sizeOf(entry.report) + FRAME_BYTES_MAX;
    } catch (error) {
      return [Code.InvalidArgument, "INVALID_FIELD", error.message];
    }
    if (this.#buffer.add(entry)) return undefined;
    return [Code.ResourceExhausted, "BUFFER_FULL", `${this.#buffer.length} reports wait already`];
  }

  async #send() {
    this.#isSending = true;
    await undefined; // reports that are made at once share a call
    while (this.#buffer.length > 0 && !this.#isEnding) await this.#call(this.#buffer.claim());
    this.#isSending = false;
    for (const end of this.#flushes) end(true);
  }

  async #call(entries) {
    const { progress } = this.#connection;
    try {
      const { results } = await progress.reportJobResults(
        { results: entries.map(({ report }) => report) },
        { timeoutMs: TRY_MS_MAX },
      );
      if (!this.#isEnding) await this.#onAnswer(entries, results);
    } catch (error) {
      if (!this.#isEnding) await this.#onFailure(entries, new Failure(error), progress);
    }
  }

  async #onAnswer(entries, results) {
    if (this.#isOutageLogged) this.#log(`${this.#connection.address} answers again`);
    this.#failingSince = 0;
    this.#isOutageLogged = false;
    const unanswered = [];
    entries.forEach((entry, index) => {
      const result = results[index];
      if (result === undefined || (result.error && RETRIED_CODES.has(result.error.code))) unanswered.push(entry);
      else
        entry.answer(
          result.error
            ? this.#refuse(entry.report, result.error.code, result.error.reason, result.error.message)
            : result,
        );
    });
    this.#buffer.answered(unanswered);
    if (unanswered.length === 0) this.#tries = 0;
    else await this.#pause(new Failure(new Error("not every report was answered")));
  }

  async #onFailure(entries, failure, used) {
    if (failure.refusesReports) {
      if (entries.length > 1) return this.#buffer.failed(); // one bad report must not fail its neighbours
      this.#buffer.answered();
      return entries[0].answer(this.#refuse(entries[0].report, failure.code, failure.reason, failure.message));
    }
    this.#logOutage(failure);
    if (!failure.isFromServer) this.#connection.renew(used);
    this.#buffer.failed();
    await this.#pause(failure);
  }

  // Does not keep the process alive: it then ends, and `exit.js` flushes.
  #pause(failure) {
    const delayMs = failure.delayMs(this.#tries++);
    return new Promise((resolve) => {
      this.#timer = setTimeout(resolve, delayMs);
      if (this.#flushes.size === 0) this.#timer.unref();
      this.#wake = () => {
        if (failure.retryMs > 0 && !this.#isEnding) return; // the server has asked for the delay
        clearTimeout(this.#timer);
        resolve();
      };
    });
  }

  #logOutage(failure) {
    this.#failingSince ||= performance.now();
    const isLong = performance.now() - this.#failingSince >= OUTAGE_MS_QUIET;
    if (this.#isOutageLogged || !(isLong || failure.needsPerson)) return;
    this.#isOutageLogged = true;
    this.#log(`${this.#connection.address} does not accept reports (${failure}): ${this.#buffer.length} wait`);
  }

  #refuse({ batchId, jobId }, code, reason, message) {
    const count = (this.#refused.get(reason) ?? 0) + 1;
    this.#refused.set(reason, count);
    if (POWER_OF_TEN.test(count)) {
      // A million jobs must not write a million lines.
      const what = `the report of job ${jobId} of batch ${batchId} is not counted`;
      this.#log(`${what}: ${reason}: ${message} (${count} for this reason so far)`);
    }
    return refusal(code, reason, message);
  }
}

function refusal(code, reason, message) {
  return create(ReportedResultSchema, { error: create(ReportErrorSchema, { code, reason, message }) });
}
