// The list of batches: asked for again and again, since a watch would not tell of new batches.

import { ask, sayConnected } from "./api.js";
import { byId, element, setChildren, setText } from "./dom.js";
import { Filters } from "./filters.js";
import { Row } from "./row.js";
import { count } from "./wording.js";

const ASKED_AGAIN_MS = 2000; // bars glide for as long, see list.css
const EXAMPLE = "batchprogress create sync --total 100";
const ASKED_AGAIN_HIDDEN_MS = 30000; // nobody looks; the page is right soon after somebody does

let rows = new Map();
let asking = new AbortController();
let timer = 0;
const filters = new Filters(begin);

function begin() {
  rows = new Map();
  refresh();
}

async function refresh() {
  asking.abort();
  clearTimeout(timer);
  const mine = (asking = new AbortController());
  try {
    show(await ask("api/batches", filters.query(), mine.signal));
    sayConnected();
  } catch (error) {
    if (error.name === "AbortError") return;
    if (error.status === 400) return showWrong();
    if (!byId("batches").childElementCount) showEmpty("Nothing to show yet", error.message);
    sayConnected(error.message);
  }
  timer = setTimeout(refresh, document.hidden ? ASKED_AGAIN_HIDDEN_MS : ASKED_AGAIN_MS);
}

function show(page) {
  rows = new Map(page.batches.map((batch) => [batch.batch_id, rowOf(batch)]));
  setChildren(byId("batches"), [...rows.values()].map((row) => row.node));
  byId("empty").hidden = page.batches.length > 0;
  if (!page.batches.length) showNothing(page);
  setText(byId("count"), countOf(page));
  filters.showPages(page.next_page_token);
}

function rowOf(batch) {
  const row = rows.get(batch.batch_id) ?? new Row(batch, (label) => filters.addLabel(label));
  row.update(batch);
  return row;
}

function countOf(page) {
  if (page.searched && page.next_page_token) {
    return `${count(page.batches.length)} found in ${count(page.searched)} batches`;
  }
  return page.batches.length ? `${count(page.batches.length)} shown, newest first` : "";
}

/** Say that what is asked for cannot be answered, now or later. */
function showWrong() {
  setChildren(byId("batches"), []);
  setText(byId("count"), "");
  showEmpty("No such filter or page", "The address may be old.", true);
  sayConnected();
}

function showNothing(page) {
  if (page.next_page_token) showEmpty("Nothing found so far", "Older batches were not looked at: see Older.");
  else if (filters.areSet) showEmpty("No batch fits", "Change the filters to see others.", true);
  else showEmpty("No batches yet", "A batch appears here when it is created, for instance by", false, EXAMPLE);
}

function showEmpty(title, text, offersAll = false, example = "") {
  const all = offersAll ? [element("p", {}, element("a", { class: "button", href: "./" }, "Show all batches"))] : [];
  const code = example ? [element("p", {}, element("code", {}, example))] : [];
  setChildren(byId("empty"), [element("h2", {}, title), element("p", {}, text), ...code, ...all]);
  byId("empty").hidden = false;
}

document.addEventListener("visibilitychange", () => document.hidden || refresh());
begin();
