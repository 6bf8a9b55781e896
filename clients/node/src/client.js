import { setTimeout as sleep } from "node:timers/promises";
import { Connection } from "./connection.js";
import { callFailed, Failure } from "./failure.js";
import { Reporter } from "./reporter.js";
import { checked, settingsFromEnvironment } from "./settings.js";
import { watch } from "./watch.js";

// A server answers in milliseconds, or after a fail-over of its database.
export const TRY_MS_MAX = 10_000;

/** Calls, reporters and watches of one server. It connects with the first call. */
export class Client {
  #settings;
  #connection;

  constructor(settings = {}) {
    this.#settings = checked(settings);
    this.#connection = new Connection(this.#settings);
  }

  static fromEnvironment(environment = process.env) {
    return new Client(settingsFromEnvironment(environment));
  }

  /**
   * Calls a method of ProgressService, and tries it again while the server does not answer.
   * Every request of the contract may be sent again.
   */
  async call(method, request, { timeoutMs = TRY_MS_MAX } = {}) {
    const end = performance.now() + timeoutMs;
    for (let tries = 0; ; tries++) {
      const { progress } = this.#connection;
      try {
        const left = Math.max(1, Math.ceil(Math.min(TRY_MS_MAX, end - performance.now())));
        return await progress[method](request, { timeoutMs: left });
      } catch (error) {
        const failure = new Failure(error);
        const delayMs = failure.delayMs(tries);
        if (failure.refusesCall || performance.now() + delayMs >= end) {
          throw callFailed(failure, { method, batchId: request.batchId, address: this.#settings.address });
        }
        if (!failure.isFromServer) this.#connection.renew(progress);
        await sleep(delayMs);
      }
    }
  }

  /** Returns a reporter for the jobs of a batch, on a connection of its own. */
  reporter(batchId, options = {}) {
    return new Reporter(new Connection(this.#settings), batchId, options);
  }

  /** Yields each new state of a batch until it has ended, on a connection of its own. */
  watch(batchId, options = {}) {
    return watch(new Connection(this.#settings), batchId, options);
  }

  /** Ends the connection of `call`; reporters and watches have their own. */
  close() {
    this.#connection.close();
  }
}
