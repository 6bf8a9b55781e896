import { setTimeout as sleep } from "node:timers/promises";
import { CallFailed, callFailed, Failure } from "./failure.js";
import { BatchState } from "./generated/batchprogress/v1/progress_pb.js";

// haproxy ends a quiet stream after 50 s, nginx after 60 s.
const HEARTBEAT_SECONDS = 20;
// Two heartbeats may be late or lost to a busy machine; then the stream is dead.
const HEARTBEATS_MISSED_MAX = 3;
const HEARTBEAT_KEY = "batchprogress-heartbeat-seconds";

/**
 * Yields each new state of a batch until it has ended, through restarts of servers and proxies. No state comes twice.
 *
 * Throws CallFailed if the server refuses the watch, for example if there is no such batch.
 */
export async function* watch(connection, batchId, { minIntervalMs = 0, signal, onWaiting = () => {} } = {}) {
  const { address } = connection;
  const cursor = new Cursor(batchId, address);
  try {
    for (let tries = 0; !cursor.hasEnded; tries++) {
      const { progress } = connection;
      const stream = new Stream(progress, request(batchId, minIntervalMs), signal);
      let failure;
      try {
        for await (const { batch } of stream) {
          tries = 0;
          if (batch && cursor.advance(batch)) yield batch;
        }
        failure = new Failure(new Error("the stream was cut before the batch had ended"));
      } catch (error) {
        if (error instanceof CallFailed || signal?.aborted) throw error;
        failure = new Failure(stream.isSilent ? new Error("the stream fell silent") : error);
      } finally {
        stream.cancel();
      }
      if (cursor.hasEnded) return;
      if (failure.refusesCall) throw callFailed(failure, { method: "WatchBatch", batchId, address });
      onWaiting(failure);
      if (!failure.isFromServer) connection.renew(progress);
      cursor.restart();
      await sleep(failure.delayMs(tries), undefined, { signal });
    }
  } finally {
    connection.close();
  }
}

// It asks for the present state also if it is known: then every server answers at once, one of 0.1 too, and a
// stream that says nothing is dead.
function request(batchId, minIntervalMs) {
  return {
    batchId,
    minInterval: duration(minIntervalMs),
    heartbeatInterval: duration(1_000 * HEARTBEAT_SECONDS),
  };
}

function duration(ms) {
  return { seconds: BigInt(Math.floor(ms / 1_000)), nanos: Math.round((ms % 1_000) * 1e6) };
}

/** The last state that a watch has yielded. */
class Cursor {
  #batchId;
  #address;
  #batch;
  #streamBegins = true;
  hasEnded = false;

  constructor(batchId, address) {
    this.#batchId = batchId;
    this.#address = address;
  }

  /** Notes that another stream begins. */
  restart() {
    this.#streamBegins = true;
  }

  /** Notes a state; returns whether it is a newer one. */
  advance(batch) {
    const before = this.#batch;
    if (before && !isSameTime(before.createTime, batch.createTime)) throw this.#replaced();
    // A fail-over of the database may have lost changes: then the first state of a stream is below the last one.
    const isOlder = before && batch.revision < before.revision && !this.#streamBegins;
    this.#streamBegins = false;
    if (isOlder) return false;
    this.hasEnded = batch.state !== BatchState.PROCESSING;
    if (before && batch.revision === before.revision && batch.state === before.state) return false;
    this.#batch = batch;
    return true;
  }

  #replaced() {
    const sentence = `batch ${this.#batchId} at ${this.#address} was replaced by a new batch: watch it again to follow that one`;
    return new CallFailed(sentence, { code: undefined, reason: "BATCH_NOT_FOUND", error: undefined });
  }
}

/** One stream, which ends when it has said nothing for too long. */
class Stream {
  #abort = new AbortController();
  #progress;
  #request;
  #signal;
  #silence;
  // Until the server has announced its heartbeats.
  #silentMs = 1_000 * HEARTBEATS_MISSED_MAX * HEARTBEAT_SECONDS;
  isSilent = false;

  constructor(progress, request, signal) {
    this.#progress = progress;
    this.#request = request;
    this.#signal = signal;
  }

  async *[Symbol.asyncIterator]() {
    const signals = this.#signal ? [this.#abort.signal, this.#signal] : [this.#abort.signal];
    this.#listen();
    const onHeader = (header) => {
      const seconds = Number(header.get(HEARTBEAT_KEY) ?? 0);
      // A server of 0.1 sends no heartbeats, and nothing else until the batch changes.
      this.#silentMs = 1_000 * HEARTBEATS_MISSED_MAX * seconds;
      this.#listen();
    };
    for await (const response of this.#progress.watchBatch(this.#request, {
      signal: AbortSignal.any(signals),
      onHeader,
    })) {
      clearTimeout(this.#silence); // the program may take its time with a state
      yield response;
      this.#listen();
    }
  }

  cancel() {
    clearTimeout(this.#silence);
    this.#abort.abort();
  }

  #listen() {
    clearTimeout(this.#silence);
    if (this.#silentMs === 0) return;
    this.#silence = setTimeout(() => {
      this.isSilent = true;
      this.#abort.abort();
    }, this.#silentMs);
  }
}

function isSameTime(one, other) {
  return one?.seconds === other?.seconds && one?.nanos === other?.nanos;
}
