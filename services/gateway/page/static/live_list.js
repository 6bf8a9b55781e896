// The batches of a page of the list, kept up to date by the events of all batches with its labels. Pure: the clock is passed in.

import { ORDERS } from "./orders.js";
import { matches, PAGE_SIZE } from "./search.js";
import { COUNTED_MAX } from "./totals.js";
import { isRunning } from "./wording.js";

const KEPT_MS = 15000; // longer than the answer to a call may be old that is overtaken by events
const LOADED_MAX = 2; // times as many batches as a page has, or as are sorted, after which the list is asked for again

export class LiveList {
  constructor() {
    this.streamed = new Map(); // the newest event of each batch: those under way, and for some time those that ended
    this.sent = null; // the ids that a stream has sent so far, until it is live
    this.page = null;
  }

  /** Take over the answer to the calls for a page; events may be newer. */
  begin(page, filters, nowMs) {
    this.page = { ...page, items: [...page.items], asked: page.items.length };
    this.filters = filters;
    this.oldest = oldestOf(page, filters);
    this.newest = filters.page && !filters.order ? createdMs(page.items[0]) : Infinity;
    for (const [batchId, { batch, atMs }] of this.streamed) {
      if (batch && isRunning(batch)) this.put(batch);
      else if (nowMs - atMs > KEPT_MS) this.streamed.delete(batchId);
      else if (batch) this.put(batch);
      else this.remove(batchId);
    }
  }

  /** Begin to take the events of another connection. */
  connected() {
    this.sent = new Set();
  }

  /** Take an event. */
  state(batch, nowMs) {
    this.sent?.add(batch.batchId);
    this.streamed.set(batch.batchId, { batch, atMs: nowMs });
    if (this.page) this.put(batch);
  }

  /** Take the event that a batch was deleted. */
  deleted(batchId, nowMs) {
    this.streamed.set(batchId, { batch: null, atMs: nowMs });
    if (this.page) this.remove(batchId);
  }

  /** Take the event that all batches under way were sent: others are gone, or their end is in the next answer. */
  live() {
    if (!this.sent) return;
    const wasSent = ({ batchId }) => this.sent.has(batchId);
    for (const [batchId, { batch }] of this.streamed) {
      if (batch && isRunning(batch) && !wasSent(batch)) this.streamed.delete(batchId);
    }
    for (const batch of this.page?.items ?? []) if (isRunning(batch) && !wasSent(batch)) this.remove(batch.batchId);
    this.sent = null;
  }

  /** Return whether the page has grown so much that it should be asked for again. */
  get hasGrown() {
    return this.page.items.length >= this.page.asked + LOADED_MAX * PAGE_SIZE;
  }

  /** Return the page as it is shown. */
  shown() {
    const { items, nextPageToken, first = 0, searched } = this.page;
    const { order } = this.filters;
    if (!order) return { ...this.page, nextPageToken };
    const sorted = [...items].sort(ORDERS[order]);
    if (searched) return { ...this.page, items: sorted };
    const end = first + PAGE_SIZE;
    const next = end < sorted.length ? String(end) : "";
    return { ...this.page, items: sorted.slice(first, end), nextPageToken: next, loaded: sorted.length, isCut: nextPageToken !== "" };
  }

  put(batch) {
    const { items } = this.page;
    const index = items.findIndex((one) => one.batchId === batch.batchId);
    const known = items[index];
    const isOlder = known && known.createTime === batch.createTime && Number(known.revision) > Number(batch.revision);
    if (isOlder && !this.sent) return; // the first state of a stream may be older: a fail-over of the database lost changes
    if (!matches(batch, this.filters)) return this.remove(batch.batchId);
    if (known) items[index] = batch;
    else this.insert(batch);
  }

  insert(batch) {
    const ms = createdMs(batch);
    if (ms < this.oldest || ms > this.newest) return; // it is on another page
    const { items } = this.page;
    const place = items.findIndex((one) => createdMs(one) <= ms);
    items.splice(place < 0 ? items.length : place, 0, batch);
    this.count(1);
  }

  remove(batchId) {
    const { items } = this.page;
    const index = items.findIndex((one) => one.batchId === batchId);
    if (index < 0) return;
    items.splice(index, 1);
    this.count(-1);
  }

  /** Change the number of all matching batches, if the server has counted them. */
  count(change) {
    const counted = Number(this.page.totalSize);
    if (counted && counted < COUNTED_MAX) this.page.totalSize = Math.max(0, counted + change);
  }
}

/** Return from when on batches are of this page. A search begins with the newest, so that others are newer than what it has found. */
function oldestOf({ items, nextPageToken }, { text }) {
  if (text) return Math.max(-Infinity, ...items.map(createdMs));
  return nextPageToken && items.length ? createdMs(items.at(-1)) : -Infinity;
}

const createdMs = (batch) => (batch ? Date.parse(batch.createTime) : -Infinity);
