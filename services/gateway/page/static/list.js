// The list of batches. It is polled, because watches do not announce new batches.

import { sayConnected } from "./api.js";
import { byId, element, setChildren, setText } from "./dom.js";
import { Filters } from "./filters.js";
import { rememberList } from "./list_memory.js";
import { Row } from "./row.js";
import { findBatches } from "./search.js";
import { Totals, totalOf } from "./totals.js";
import { count } from "./wording.js";

const POLL_MS = 2000; // the duration of the bars' transition in list.css
const EXAMPLE = "batchprogress create sync --total 100";
const POLL_HIDDEN_MS = 30000; // a tab that becomes visible is refreshed at once
const PAUSE_FACTOR = 4; // a search of many calls is repeated after so many times as long as it took
const RETRY_MS_MAX = 10000; // but one that has failed within the time that people wait

let rows = new Map();
let asking = new AbortController();
let timer = 0;
const filters = new Filters(begin);
const totals = new Totals(byId("filters"));

function begin() {
  rows = new Map();
  rememberList(filters.address());
  refresh();
}

async function refresh() {
  asking.abort();
  clearTimeout(timer);
  const mine = (asking = new AbortController());
  const askedMs = performance.now();
  let pauseMsMax = Infinity;
  try {
    show(await findBatches(filters.values(), mine.signal, show));
    sayConnected();
    totals.refresh(filters, mine.signal);
  } catch (error) {
    if (error.name === "AbortError") return;
    if (error.status === 400) return showWrong();
    if (!byId("batches").childElementCount) showEmpty("Nothing to show yet", error.message);
    sayConnected(error.message);
    pauseMsMax = RETRY_MS_MAX;
  }
  const pause = Math.min(pauseMsMax, Math.max(POLL_MS, PAUSE_FACTOR * (performance.now() - askedMs)));
  timer = setTimeout(refresh, document.hidden ? POLL_HIDDEN_MS : pause);
}

function show(page) {
  rows = new Map(page.items.map((batch) => [batch.batchId, rowOf(batch)]));
  setChildren(byId("batches"), [...rows.values()].map((row) => row.node));
  byId("empty").hidden = page.items.length > 0;
  if (!page.items.length) showNothing(page);
  setText(byId("count"), countOf(page));
  filters.showPages(page.nextPageToken);
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

document.addEventListener("visibilitychange", () => document.hidden || refresh());
begin();
