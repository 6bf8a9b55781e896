// Pages of batches: what ProgressService filters, and what is searched and sorted here.
//
// ProgressService finds ids by their beginning. Any other text is searched here, in a bounded number of batches a page. A page tells how
// many batches were searched and where the search continues. An order other than by start is that of the loaded batches.

import { call, fullPage, Refusal } from "./api.js";

export const PAGE_SIZE = 50; // as many as a person reads; a searched page holds up to one more read
const READ_AT_A_TIME = 250; // about 150 KB
const SORTED_MAX = 1000; // four calls
const SEARCHED_MAX = 5000; // 20 calls, well below a second of the server's time
const SEARCH_MS_MAX = 2000; // after this a search makes no further call
const TEXT_LENGTH_MAX = 200;
const IDENTIFIER = /^[!-~]{1,128}$/;
const NOT_FOUND = 404;

/** Return a page of batches, or those of which a page in another order is a part; the signal ends the search.
 * What is found at once is shown before the rest is searched. */
export async function findBatches(filters, signal, showFound) {
  const request = { ...requestOf(filters), pageToken: filters.page };
  if (filters.text) return search(filters, request, signal, showFound);
  if (filters.order) return load(filters, request, signal);
  const found = await fullPage("ListBatches", { ...request, pageSize: PAGE_SIZE }, "batches", signal);
  return { ...found, searched: 0 };
}

/** Return the fields of ListBatches for all filters but text and page. */
export function requestOf({ state, labels, failures, from, until }) {
  const request = { labels: labelsOf(labels) };
  if (state.toUpperCase() === "STALLED") request.stalled = true;
  else if (state) request.state = `BATCH_STATE_${state.toUpperCase()}`;
  if (failures) request.withFailures = true;
  if (from) request.createdFrom = from;
  if (until) request.createdBefore = until;
  return request;
}

async function search(filters, request, signal, showFound) {
  const text = filters.text.slice(0, TEXT_LENGTH_MAX);
  const ids = filters.page ? [] : await findIds(text, filters, request, signal);
  const found = { items: ids, nextPageToken: request.pageToken, searched: 0 };
  if (ids.length) showFound({ ...found, nextPageToken: "" });
  const known = new Set(ids.map((batch) => batch.batchId));
  const begin = performance.now();
  for (;;) {
    const asked = { ...request, pageSize: READ_AT_A_TIME, pageToken: found.nextPageToken };
    const answer = await call("ListBatches", asked, signal);
    found.items.push(...answer.batches.filter((batch) => !known.has(batch.batchId) && contains(batch, text.toLowerCase())));
    found.nextPageToken = answer.nextPageToken;
    found.searched += answer.batches.length;
    const isOver = found.searched >= SEARCHED_MAX || performance.now() - begin > SEARCH_MS_MAX;
    if (!found.nextPageToken || found.items.length >= PAGE_SIZE || isOver) break;
  }
  return found;
}

/** Return the batch with this id and those whose ids begin with it, however many batches there are. */
async function findIds(text, filters, request, signal) {
  if (!IDENTIFIER.test(text)) return [];
  const asked = { ...request, batchIdPrefix: text, pageSize: PAGE_SIZE };
  const [exact, { items }] = await Promise.all([
    call("GetBatch", { batchId: text }, signal).catch(notFound),
    fullPage("ListBatches", asked, "batches", signal),
  ]);
  const others = items.filter((batch) => batch.batchId !== text && batch.batchId.startsWith(text));
  return exact && matches(exact.batch, filters) ? [exact.batch, ...others] : others;
}

function notFound(error) {
  if (error.status !== NOT_FOUND) throw error;
}

/** Return whether a batch is one of those that the filters select. */
export function matches(batch, { state, labels, failures, from, until, text }) {
  const created = Date.parse(batch.createTime);
  const isStalled = Boolean(batch.stallReason);
  return (
    (state === "" || (state === "STALLED" ? isStalled : batch.state === `BATCH_STATE_${state}`)) &&
    labels.map(pairOf).every(([key, value]) => batch.labels[key] === value) &&
    (!failures || Number(batch.failedJobs) > 0) &&
    (!from || created >= Date.parse(from)) &&
    (!until || created < Date.parse(until)) &&
    (!text || contains(batch, text.slice(0, TEXT_LENGTH_MAX).toLowerCase()))
  );
}

function contains(batch, sought) {
  const labels = Object.entries(batch.labels).map(([key, value]) => `${key}=${value}`);
  return [batch.batchId, batch.displayName, ...labels].some((text) => text.toLowerCase().includes(sought));
}

/** Return the newest batches, to be sorted; the token of a page is the number of batches before it. */
async function load({ page }, request, signal) {
  const first = Number(page);
  if (!Number.isInteger(first)) throw new Refusal("There is no such page.", 400);
  const items = [];
  let token = "";
  let totalSize = 0;
  for (let calls = 0; calls * READ_AT_A_TIME < SORTED_MAX && (calls === 0 || token); calls += 1) {
    const answer = await call("ListBatches", { ...request, pageSize: READ_AT_A_TIME, pageToken: token }, signal);
    items.push(...answer.batches);
    if (!token) totalSize = answer.totalSize;
    token = answer.nextPageToken;
  }
  return { items, nextPageToken: token, searched: 0, totalSize, first };
}

/** Return the labels of the filters by their keys. */
export const labelsOf = (labels) => Object.fromEntries(labels.map(pairOf));

function pairOf(label) {
  const equals = label.indexOf("=");
  if (equals < 1) throw new Refusal("A label is key=value.", 400);
  return [label.slice(0, equals), label.slice(equals + 1)];
}
