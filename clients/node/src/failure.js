// What a failed call means: only our server can refuse one for good. Everything else came from the road to it,
// from a proxy or a broken connection, and may change.
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, RetryInfoSchema } from "./generated/google/rpc/error_details_pb.js";

const DOMAIN = "batchprogress";
// With these our server refuses nothing: it restarts or is busy.
const LATER = new Set([Code.Unavailable, Code.Canceled, Code.DeadlineExceeded, Code.ResourceExhausted]);
// With these a person has to change the token, its role or the server's version first. Reports wait for it.
const MISCONFIGURED = new Set([Code.Unauthenticated, Code.PermissionDenied, Code.Unimplemented]);
// The bound of the first delay is the time of a commit on a busy server. A thousand workers find a restarted
// server within seconds, and spread their tries over as long.
const BACKOFF_MS_MIN = 50;
const BACKOFF_MS_MAX = 5_000;
const DOUBLINGS_MAX = 16;

/** Why a call failed. */
export class Failure {
  constructor(error) {
    const { code, rawMessage, ...rest } = ConnectError.from(error);
    const [info] = detailsOf(error, ErrorInfoSchema).filter((one) => one.domain === DOMAIN);
    const [retry] = detailsOf(error, RetryInfoSchema);
    this.error = error;
    this.code = code;
    this.message = rawMessage || rest.message || Code[code];
    /** The reason of our server; empty if it was not our server that answered. */
    this.reason = info?.reason ?? "";
    this.retryMs = retry?.retryDelay ? Number(retry.retryDelay.seconds) * 1_000 + retry.retryDelay.nanos / 1e6 : 0;
  }

  get isFromServer() {
    return this.reason !== "";
  }

  /** Whether the server refuses these reports, whatever becomes of tokens and databases. */
  get refusesReports() {
    return this.refusesCall && !MISCONFIGURED.has(this.code);
  }

  /** Whether the server gives the same call the same answer, at least until a person has changed something. */
  get refusesCall() {
    return this.isFromServer && !LATER.has(this.code);
  }

  /** Whether a person has to change something. */
  get needsPerson() {
    return MISCONFIGURED.has(this.code);
  }

  /** Returns the delay before the next try, after so many earlier failures. */
  delayMs(tries) {
    if (this.needsPerson) return BACKOFF_MS_MAX * (0.5 + Math.random() / 2);
    return (
      this.retryMs + Math.random() * Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** Math.min(tries, DOUBLINGS_MAX))
    );
  }

  toString() {
    return `${Code[this.code]}: ${this.message}`;
  }
}

/** A call that the server has refused, or has not answered in time. */
export class CallFailed extends Error {
  constructor(sentence, failure) {
    super(sentence, { cause: failure.error });
    this.name = "CallFailed";
    this.code = failure.code;
    /** The server's reason, for example BATCH_NOT_FOUND; empty if it has not answered. */
    this.reason = failure.reason;
  }
}

/** Returns the error of a call that is not tried again. */
export function callFailed(failure, { method, batchId, address }) {
  if (failure.reason === "BATCH_NOT_FOUND") {
    const advice = "check the id, and that the batch was created on this server";
    return new CallFailed(`there is no batch ${batchId} at ${address}: ${advice}`, failure);
  }
  const name = batchId === undefined ? method : `${method} of batch ${batchId}`;
  const what = failure.isFromServer ? "was refused" : "got no answer";
  return new CallFailed(`${name} at ${address} ${what}: ${failure}`, failure);
}

function detailsOf(error, schema) {
  return error instanceof ConnectError ? error.findDetails(schema) : [];
}
