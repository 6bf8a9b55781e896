// Calls of ProgressService over HTTP (Connect), and the line that says whether they are answered.

import { byId, setAttribute, setText } from "./dom.js";

const SERVICE = "batchprogress.v1.ProgressService";
const ITEMS_WANTED = 50; // as many as a person reads
const SHORT_PAGES_MAX = 10; // calls for one page: in each, the server searches a bounded number of items, and may find none
const ANSWER_MS_MAX = 5_000; // a server answers in milliseconds; after this long the page says that it is down
const SILENT_MS_MAX = 2 * ANSWER_MS_MAX; // a gateway that has said nothing for longer is frozen, or the network is gone
const SENTENCES = {
  SERVER_UNREACHABLE: "The progress server does not answer.",
  DEADLINE_EXCEEDED: "The progress server does not answer.",
  BATCH_NOT_FOUND: "There is no such batch: it was never created here, its retention has passed, or another has its id.",
  GATEWAY_BUSY: "The gateway has too many other requests to answer.",
  TOKEN_INVALID: "The progress server requires a token: the gateway's operator should check its settings.",
  TOKEN_REFUSED: "The progress server refuses the gateway's token: its operator should check its log.",
  TOO_MANY_BATCHES: "More than 1,000 batches are running: choose a label to see them live.",
  TOKEN_UNREADABLE: "The gateway cannot read its own token: its operator should check its log.",
};
export const SILENT = "The gateway does not answer.";

/** An error answer; its message is shown to people. */
export class Refusal extends Error {
  constructor(message, status, reason = "") {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

/** Return the sentence for people about an error in Connect's JSON. */
export function sentenceOf(error) {
  return SENTENCES[reasonOf(error)] ?? error.message ?? "The gateway failed.";
}

const reasonOf = ({ details = [] }) => details.find((one) => one.type === "google.rpc.ErrorInfo")?.debug?.reason ?? "";

/** Return the Refusal that an error answer is. */
export async function refusalOf(response) {
  const error = await response.json().catch(() => ({}));
  return new Refusal(sentenceOf(error), response.status, reasonOf(error));
}

/** Return the answer to a call that only reads; throws a Refusal, or an AbortError after the signal. */
export function call(method, request, signal, { service = SERVICE, token = "" } = {}) {
  // Pages of the same thing share answers: one that is some seconds old is as good.
  return post(`${service}/${method}`, request, { "Cache-Control": "max-age=10", ...authorization(token) }, signal);
}

/** Return the answer to a call that changes a batch; throws a Refusal. */
export function change(method, request, token) {
  return post(`${SERVICE}/${method}`, request, authorization(token));
}

const authorization = (token) => (token ? { Authorization: `Bearer ${token}` } : {});

async function post(path, request, named, signal) {
  const headers = { "Content-Type": "application/json", "Connect-Timeout-Ms": String(ANSWER_MS_MAX), ...named };
  const silence = AbortSignal.timeout(SILENT_MS_MAX);
  const ends = signal ? AbortSignal.any([signal, silence]) : silence;
  try {
    const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(request), signal: ends });
    if (response.ok) return await response.json();
    throw await refusalOf(response);
  } catch (error) {
    // All other errors are network errors: no connection, an incomplete answer, or none in time.
    if (error instanceof Refusal || error.name === "AbortError") throw error;
    throw new Refusal(SILENT, 0);
  }
}

/** Join short pages of the server to one, with the items of the field and the number of all. */
export async function fullPage(method, request, field, signal) {
  let found = { items: [], nextPageToken: request.pageToken };
  for (let calls = 0; calls < SHORT_PAGES_MAX; calls += 1) {
    const answer = await call(method, { ...request, pageToken: found.nextPageToken }, signal);
    const totalSize = calls ? found.totalSize : answer.totalSize;
    found = { items: [...found.items, ...answer[field]], nextPageToken: answer.nextPageToken, totalSize };
    if (!found.nextPageToken || found.items.length >= ITEMS_WANTED) break;
  }
  return found;
}

/** Show that the page is live or, given a problem, why it may be out of date. */
export function sayConnected(problem = "") {
  const place = byId("connection");
  setAttribute(place, "data-kind", problem ? "away" : "live");
  setText(place, problem ? `${problem} Trying again…` : "Live");
}

/** Show that no more changes will come. */
export function sayEnded(text) {
  setAttribute(byId("connection"), "data-kind", "ended");
  setText(byId("connection"), text);
}
