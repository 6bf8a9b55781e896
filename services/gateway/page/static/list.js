// The list of batches. It is asked for, and then follows the events of the batches; without events it is asked for again.

import { sayConnected } from "./api.js";
import { byId, element, setChildren, setText } from "./dom.js";
import { Filters } from "./filters.js";
import { rememberList } from "./list_memory.js";
import { LiveList } from "./live_list.js";
import { Row } from "./row.js";
import { findBatches, labelsOf } from "./search.js";
import { SelectionStream } from "./selection_stream.js";
import { Totals, totalOf } from "./totals.js";
import { count } from "./wording.js";

const EXAMPLE = "batchprogress create sync --total 100";
const SETTLED_MS = 2500; // after the stream is live: an answer that began before it is no longer shared
const ASKED_AGAIN_MS = 10000; // while there is no stream, or after the page has grown
const CHECKED_MS = 60000; // for what no event tells: late results of batches that have ended, and their deletion
const REDRAWN_MS = 10000; // texts such as "3 minutes ago" change with time; the totals are counted as often

let rows = new Map();
let list = new LiveList();
let stream = null;
let watched = ""; // the labels of the stream
let isLive = false;
let hasChanged = false; // since the totals were counted
let asking = new AbortController();
let timer = 0;
let askedMs = 0;
let frame = 0;
const filters = new Filters(begin);
const totals = new Totals(byId("filters"));

const listener = {
  opened() {
    list.connected();
  },
  state(batch) {
    list.state(batch, performance.now());
    changed();
  },
  deleted(batchId) {
    list.deleted(batchId, performance.now());
    changed();
  },
  live(resumed) {
    isLive = true;
    list.live();
    changed();
    sayConnected();
    if (!resumed) askIn(SETTLED_MS);
  },
  problem({ message }) {
    sayConnected(message);
  },
  broken({ message }) {
    isLive = false;
    sayConnected(message);
    ask();
  },
};

function begin() {
  rows = new Map();
  list.page = null;
  rememberList(filters.address());
  watch();
  ask();
}

/** Stream the batches with the labels of the filters; all other filters choose among them here. */
function watch() {
  let labels;
  try {
    labels = labelsOf(filters.labels);
  } catch {
    return; // the call for the list says so
  }
  const wanted = JSON.stringify(labels);
  if (stream && wanted === watched) return;
  stream?.end();
  [watched, isLive, list] = [wanted, false, new LiveList()];
  stream = new SelectionStream(labels, listener);
}

function askIn(ms) {
  clearTimeout(timer);
  timer = setTimeout(ask, ms);
}

async function ask() {
  asking.abort();
  clearTimeout(timer);
  const mine = (asking = new AbortController());
  const values = filters.values();
  askedMs = performance.now();
  const take = (page) => {
    list.begin(page, values, performance.now());
    show();
  };
  try {
    take(await findBatches(values, mine.signal, take));
    if (isLive) sayConnected();
    else askIn(ASKED_AGAIN_MS);
    totals.refresh(filters, mine.signal);
  } catch (error) {
    if (error.name === "AbortError") return;
    if (error.status === 400) return showWrong();
    if (!byId("batches").childElementCount) showEmpty("Nothing to show yet", error.message);
    sayConnected(error.message);
    askIn(SETTLED_MS);
  }
}

function changed() {
  hasChanged = true;
  if (!list.page || frame) return;
  frame = requestAnimationFrame(() => {
    frame = 0;
    if (list.page) show();
  });
}

function show() {
  const page = list.shown();
  rows = new Map(page.items.map((batch) => [batch.batchId, rowOf(batch)]));
  setChildren(byId("batches"), [...rows.values()].map((row) => row.node));
  byId("empty").hidden = page.items.length > 0;
  if (!page.items.length) showNothing(page);
  setText(byId("count"), countOf(page));
  filters.showPages(page.nextPageToken);
  if (list.hasGrown && performance.now() - askedMs > ASKED_AGAIN_MS) ask();
}

function rowOf(batch) {
  const row = rows.get(batch.batchId) ?? new Row(batch, (label) => filters.addLabel(label));
  row.update(batch);
  return row;
}

function countOf(page) {
  if (page.searched && page.nextPageToken) {
    return `${count(page.items.length)} found in ${count(page.searched)} batches`;
  }
  if (!page.items.length) return "";
  const shown = page.items.length;
  const total = filters.page ? "" : totalOf({ batches: page.items, ...page });
  if (page.isCut) return `${count(shown)} shown, sorted among the newest ${count(page.loaded)}${total && ` of ${total}`}`;
  const order = filters.order ? "" : ", newest first";
  return total && page.nextPageToken ? `${count(shown)} of ${total} shown${order}` : `${count(shown)} shown${order}`;
}

/** Show that the requested list does not exist; a retry would not help. */
function showWrong() {
  setChildren(byId("batches"), []);
  setText(byId("count"), "");
  showEmpty("No such filter or page", "The address may be old.", true);
  sayConnected();
}

function showNothing(page) {
  if (page.nextPageToken) showEmpty("Nothing found so far", "Older batches were not searched yet: choose Older.");
  else if (filters.areSet) showEmpty("No matching batch", "Change the filters to see others.", true);
  else showEmpty("No batches yet", "A batch appears here when it is created, for example with", false, EXAMPLE);
}

function showEmpty(title, text, offersAll = false, example = "") {
  const all = offersAll ? [element("p", {}, element("a", { class: "button", href: "./" }, "Show all batches"))] : [];
  const code = example ? [element("p", {}, element("code", {}, example))] : [];
  setChildren(byId("empty"), [element("h2", {}, title), element("p", {}, text), ...code, ...all]);
  byId("empty").hidden = false;
}

setInterval(() => {
  if (document.hidden || !list.page) return;
  if (performance.now() - askedMs > CHECKED_MS) ask();
  show();
  if (hasChanged && totals.refresh(filters, asking.signal)) hasChanged = false;
}, REDRAWN_MS);
document.addEventListener("visibilitychange", () => document.hidden || ask());
begin();
