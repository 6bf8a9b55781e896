// Watches one batch: streams its states, resumes after an interruption, and says why it cannot.

import { eventsOf } from "./event_stream.js";
import { hasEnded } from "./totals.js";

const SILENCE_MS_MAX = 60_000; // four heartbeats: a stream that is silent for longer is dead
const BACKOFF_MS_MIN = 2_000; // a restart takes a second or two, after which not all come back at once
const BACKOFF_MS_MAX = 30_000; // longer than this, people reload the page
const RETRY_AFTER_MS_MAX = 300_000; // a wrong header must not stop a bar for a day
const RENEWAL_MS = 30_000; // an application whose request for another token has failed is asked again
const PROBLEMS_BY_STATUS = { 401: "unauthenticated", 403: "forbidden", 404: "unknown" };
const PROBLEMS_BY_CODE = {
  invalid_argument: "unknown", // an id that no batch can have
  not_found: "unknown",
  permission_denied: "forbidden",
  unauthenticated: "unauthenticated",
};

export class Watch {
  batch = null; // the newest state
  problem = ""; // the word that says why it may be out of date
  #listener;
  #address = "";
  #lastEventId = "";
  #failures = 0;
  #refusals = 0;
  #running = null;

  /** The listener has the methods changed(watch), for a new state, and troubled(watch), for a new problem. */
  constructor(batchId, listener) {
    this.batchId = batchId;
    this.#listener = listener;
  }

  get hasEnded() {
    return Boolean(this.batch) && hasEnded(this.batch);
  }

  /** Stream from a gateway with a token, unless this happens already or the batch has ended. */
  open(gateway, token) {
    if (this.hasEnded || (this.#running && this.gateway === gateway && this.token === token)) return;
    this.close();
    Object.assign(this, { gateway, token });
    this.#address = `${gateway.replace(/\/+$/, "")}/v1/batch/events?${new URLSearchParams({ batch_id: this.batchId })}`;
    this.#running = new AbortController();
    this.#stream(this.#running.signal);
  }

  /** End the stream; the state stays, and open() resumes from it. */
  close() {
    this.#running?.abort();
    this.#running = null;
  }

  async #stream(signal) {
    // An application that answers each refusal with another refused token must not do so without a pause.
    if (this.#refusals > 1) await pause(backoff(this.#refusals), signal);
    while (!signal.aborted) {
      const outcome = await this.#attempt(signal);
      if (signal.aborted || this.hasEnded) return;
      if (outcome.problem) this.#report(outcome.problem);
      if (outcome.problem === "unauthenticated") this.#refusals += 1;
      if (outcome.isFinal) return this.#askAgain(outcome.problem, signal);
      this.#failures = outcome.problem ? this.#failures + 1 : 0;
      await pause((outcome.retryAfterMs ?? 0) + backoff(this.#failures), signal);
    }
  }

  /** Read a stream to its end; return why it ended. A stream that was merely cut has no problem: the next may open. */
  async #attempt(signal) {
    const silence = new Silence(signal);
    let outcome = { problem: "away" };
    try {
      const response = await fetch(this.#address, { ...this.#request(), signal: silence.signal });
      if (!isStream(response)) return await answerOf(response);
      let isFirst = true;
      for await (const events of eventsOf(response.body)) {
        if (signal.aborted) break;
        silence.restart();
        if (isFirst) outcome = { problem: "" };
        isFirst = false;
        for (const event of events) outcome = this.#take(event) ?? outcome;
        if (outcome.isFinal || this.hasEnded) break;
        this.#report(outcome.problem);
      }
    } catch {
      // No connection, a cut one, or an answer of something else than the gateway.
    } finally {
      silence.end();
    }
    return outcome;
  }

  async #askAgain(problem, signal) {
    while (problem === "unauthenticated" && !signal.aborted) {
      await pause(RENEWAL_MS, signal);
      if (!signal.aborted) this.#report(problem);
    }
  }

  #request() {
    const headers = { accept: "text/event-stream" };
    if (this.token) headers.authorization = `Bearer ${this.token}`;
    if (this.#lastEventId) headers["last-event-id"] = this.#lastEventId;
    return { headers, cache: "no-store", redirect: "error" }; // the token goes nowhere else
  }

  /** Take an event; return what it says about the stream, if anything. */
  #take({ name, id, data }) {
    if (name === "problem") return { problem: "away" };
    if (name === "refused") return this.#refused(refusalOf(JSON.parse(data)));
    if (name !== "batch") return null;
    this.batch = JSON.parse(data);
    this.#lastEventId = id;
    this.#refusals = 0;
    this.problem = "";
    this.#listener.changed(this);
    return { problem: "" };
  }

  /** Return what the end of a stream means. A batch that is gone may be replaced by another one of its id. */
  #refused(refusal) {
    if (refusal.problem !== "unknown") return refusal;
    this.#lastEventId = "";
    return { problem: "" };
  }

  #report(problem) {
    if (problem === this.problem && problem !== "unauthenticated") return;
    this.problem = problem;
    this.#listener.troubled(this);
  }
}

/** Aborts a request on which nothing was heard for too long, or whose owner gives it up. */
class Silence {
  #controller = new AbortController();
  #timer;

  constructor(signal) {
    this.signal = AbortSignal.any([signal, this.#controller.signal]);
    this.restart();
  }

  restart() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#controller.abort(), SILENCE_MS_MAX);
  }

  end() {
    clearTimeout(this.#timer);
    this.#controller.abort();
  }
}

const isStream = (response) =>
  response.status === 200 && (response.headers.get("content-type") ?? "").startsWith("text/event-stream");

/** Return what an answer without a stream means. */
async function answerOf(response) {
  const refusal = refusalOf(await response.json().catch(() => null));
  if (!refusal.isFinal) refusal.problem = PROBLEMS_BY_STATUS[response.status] ?? "away"; // of a proxy: it may pass
  return { ...refusal, retryAfterMs: retryAfterMs(response.headers.get("retry-after")) };
}

/** Return what the body of an error of the gateway means. */
function refusalOf(body) {
  const problem = PROBLEMS_BY_CODE[body?.code];
  return { problem: problem ?? "away", isFinal: Boolean(problem) };
}

/** Return the time that Retry-After asks for, in seconds or until a date. */
function retryAfterMs(value) {
  const ms = /^\d+$/.test(value ?? "") ? 1000 * Number(value) : Date.parse(value ?? "") - Date.now();
  return Math.min(Math.max(ms || 0, 0), RETRY_AFTER_MS_MAX);
}

const backoff = (failures) => Math.random() * Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** Math.max(0, failures - 1));

function pause(ms, signal) {
  return new Promise((resume) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end); // a page may be open for days
      resume();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}
