// A table of failed jobs, read page by page; each job can be opened.

import { fullPage } from "./api.js";
import { copyText } from "./clipboard.js";
import { element, setChildren, setText } from "./dom.js";
import { count, jobs, moment } from "./wording.js";

const PAGE_SIZE = 250; // about 100 KB
const HEADS = ["Job", "Attempt", "Error", "Recorded"];

export class FailedJobs {
  /** `open` shows a job, given its result. */
  constructor(batchId, caption, open) {
    this.batchId = batchId;
    this.caption = caption;
    this.open = open;
    this.node = element("div", { class: "failure-jobs" });
    this.results = [];
  }

  /** List the jobs that match the filters of ListJobResults, from the first one on. */
  list(filters) {
    this.stop(); // its answer would be added to the new table
    this.request = { ...filters, batchId: this.batchId, outcome: "JOB_OUTCOME_FAILED", pageSize: PAGE_SIZE };
    this.results = [];
    this.rows = element("tbody");
    this.more = element("p", { class: "muted" });
    setChildren(this.node, [this.table(), this.more]);
    this.load("");
  }

  stop() {
    this.asking?.abort();
  }

  table() {
    const heads = HEADS.map((text) => element("th", { scope: "col" }, text));
    const caption = element("caption", { class: "visually-hidden" }, this.caption);
    const table = element("table", {}, caption, element("thead", {}, element("tr", {}, ...heads)), this.rows);
    return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Failed jobs" }, table);
  }

  async load(page) {
    const { signal } = (this.asking = new AbortController());
    setText(this.more, "Loading…");
    try {
      const found = await fullPage("ListJobResults", { ...this.request, pageToken: page }, "jobResults", signal);
      this.results.push(...found.items);
      this.rows.append(...found.items.map((result) => this.rowOf(result)));
      this.offerMore(found.nextPageToken);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.more.replaceChildren(`${error.message} `, button("Try again", () => this.load(page)));
    }
  }

  offerMore(page) {
    const copy = button("Copy", (event) => copyText(textOf(this.results), event.currentTarget));
    const next = page ? [button("Show more", () => this.load(page)), " "] : [];
    const rest = this.results.length ? [...next, copy] : next;
    this.more.replaceChildren(`${this.results.length ? jobs(this.results.length) : "No failed job"} shown. `, ...rest);
  }

  rowOf(result) {
    const time = moment(result.recordTime) + (result.reconciled ? ", by the reconciler" : "");
    const id = element("button", { type: "button", class: "job-id" }, element("code", {}, result.jobId));
    id.addEventListener("click", () => this.open(result));
    const name = result.displayName.trim();
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, ...(name ? [element("span", { class: "job-name" }, name)] : []), id),
      element("td", {}, count(result.attempt)),
      element("td", { class: "message" }, result.errorMessage),
      element("td", {}, time),
    );
  }
}

function button(text, press) {
  const node = element("button", { type: "button", class: "button small" }, text);
  node.addEventListener("click", press);
  return node;
}

/** Return jobs as lines with tabs, for spreadsheets. */
function textOf(results) {
  const cell = (text) => text.replace(/\s+/g, " ").trim();
  const line = (one) => [one.jobId, one.displayName, one.attempt, one.errorType, one.errorMessage, one.recordTime];
  return results.map((one) => line(one).map((part) => cell(String(part))).join("\t")).join("\n");
}
