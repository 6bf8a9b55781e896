// Pages of batches, with a filter that ProgressService does not have.
//
// ProgressService filters batches by state and labels. Text is searched here, in a bounded number of batches a page. A page tells how many
// batches were searched and where the search continues.

import { call, fullPage, Refusal } from "./api.js";

const PAGE_SIZE = 50; // as many as a person reads; a searched page holds up to one more read
const SEARCHED_AT_A_TIME = 250; // about 150 KB
const SEARCHED_MAX = 5000; // 20 calls, well below a second of the server's time
const SEARCH_MS_MAX = 2000; // after this a search makes no further call
const TEXT_LENGTH_MAX = 200;

/** Return a page of batches, newest first; the signal ends the search. */
export async function findBatches({ state, labels, text, page }, signal) {
  const request = { labels: Object.fromEntries(labels.map(pairOf)), pageToken: page };
  if (state) request.state = `BATCH_STATE_${state.toUpperCase()}`;
  if (text) return search(request, text.slice(0, TEXT_LENGTH_MAX).toLowerCase(), signal);
  const found = await fullPage("ListBatches", { ...request, pageSize: PAGE_SIZE }, "batches", signal);
  return { ...found, searched: 0 };
}

async function search(request, sought, signal) {
  const found = { items: [], nextPageToken: request.pageToken, searched: 0 };
  const begin = performance.now();
  for (;;) {
    const answer = await call("ListBatches", { ...request, pageSize: SEARCHED_AT_A_TIME, pageToken: found.nextPageToken }, signal);
    found.items.push(...answer.batches.filter((batch) => matches(batch, sought)));
    found.nextPageToken = answer.nextPageToken;
    found.searched += answer.batches.length;
    const isOver = found.searched >= SEARCHED_MAX || performance.now() - begin > SEARCH_MS_MAX;
    if (!found.nextPageToken || found.items.length >= PAGE_SIZE || isOver) return found;
  }
}

function matches(batch, sought) {
  const labels = Object.entries(batch.labels).map(([key, value]) => `${key}=${value}`);
  return [batch.batchId, batch.displayName, ...labels].some((text) => text.toLowerCase().includes(sought));
}

function pairOf(label) {
  const equals = label.indexOf("=");
  if (equals < 1) throw new Refusal("A label is key=value.", 400);
  return [label.slice(0, equals), label.slice(equals + 1)];
}
