// The failures, grouped by error; a group can be expanded to list its jobs.

import { call, fullPage } from "./api.js";
import { byId, element, setChildren, setText } from "./dom.js";
import { count, jobs, moment } from "./wording.js";

const GROUPS_PAGE_SIZE = 100;
const JOBS_PAGE_SIZE = 250; // about 100 KB

export class Failures {
  constructor(batchId) {
    this.batchId = batchId;
    this.groups = new Map();
    this.pages = 1;
    byId("failures-next").addEventListener("click", () => this.showMore());
  }

  async refresh() {
    const { groups, total, hasMore } = await this.read();
    this.groups = new Map(groups.map((group) => [keyOf(group), this.groupOf(group)]));
    setChildren(byId("failures"), [...this.groups.values()].map((group) => group.node));
    const failed = groups.reduce((sum, group) => sum + Number(group.failedJobs), 0);
    byId("no-failures").hidden = failed > 0;
    byId("failures-more").hidden = !hasMore;
    setText(byId("failures-shown"), `${kinds(groups.length)} shown. `);
    setText(byId("failures-count"), countOf(failed, total, hasMore));
  }

  /** Return the groups on the pages that are shown. */
  async read() {
    let [groups, total, page] = [[], 0, ""];
    for (let read = 0; read < this.pages && (read === 0 || page); read += 1) {
      const answer = await call("ListFailureGroups", { batchId: this.batchId, pageSize: GROUPS_PAGE_SIZE, pageToken: page });
      groups = [...groups, ...answer.failureGroups];
      [total, page] = [answer.totalSize, answer.nextPageToken];
    }
    return { groups, total, hasMore: page !== "" };
  }

  async showMore() {
    this.pages += 1;
    try {
      await this.refresh();
    } catch (error) {
      this.pages -= 1;
      setText(byId("failures-shown"), `${error.message} `);
    }
  }

  groupOf(group) {
    const shown = this.groups.get(keyOf(group)) ?? new Group(this.batchId, group);
    shown.update(group);
    return shown;
  }
}

class Group {
  constructor(batchId, group) {
    this.batchId = batchId;
    this.fingerprint = group.fingerprint; // none for all further kinds, and from servers of 0.1
    this.count = element("span", { class: "failure-count" });
    this.sample = element("span", { class: "failure-sample" });
    this.jobs = element("div", { class: "failure-jobs", hidden: "" });
    this.button = element(
      "button",
      { type: "button", class: "failure-head", "aria-expanded": "false" },
      this.count,
      element("span", { class: "failure-type" }, group.errorType || untyped(group)),
      this.sample,
    );
    this.button.disabled = !this.fingerprint;
    this.button.addEventListener("click", () => this.toggle());
    this.node = element("li", {}, element("h3", {}, this.button), this.jobs);
  }

  update(group) {
    setText(this.count, count(group.failedJobs));
    setText(this.sample, group.sampleErrorMessage);
  }

  toggle() {
    const opens = this.jobs.hidden;
    this.jobs.hidden = !opens;
    this.button.setAttribute("aria-expanded", String(opens));
    this.asking?.abort(); // its answer would be added to the newly opened table
    if (opens) {
      this.rows = element("tbody");
      this.more = element("p", { class: "muted" });
      setChildren(this.jobs, [this.table(), this.more]);
      this.load("");
    }
  }

  table() {
    const heads = ["Job", "Attempt", "Error", "Recorded"].map((text) => element("th", { scope: "col" }, text));
    const caption = element("caption", { class: "visually-hidden" }, "Jobs that failed with this error");
    const table = element("table", {}, caption, element("thead", {}, element("tr", {}, ...heads)), this.rows);
    return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Failed jobs" }, table);
  }

  async load(page) {
    const request = { batchId: this.batchId, fingerprint: this.fingerprint, outcome: "JOB_OUTCOME_FAILED" };
    const { signal } = (this.asking = new AbortController());
    setText(this.more, "Loading…");
    try {
      const asked = { ...request, pageSize: JOBS_PAGE_SIZE, pageToken: page };
      const found = await fullPage("ListJobResults", asked, "jobResults", signal);
      this.rows.append(...found.items.map(rowOf));
      this.offerMore(found.nextPageToken);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.more.replaceChildren(`${error.message} `, this.next("Try again", page));
    }
  }

  offerMore(page) {
    const shown = `${jobs(this.rows.childElementCount)} shown. `;
    this.more.replaceChildren(...(page ? [shown, this.next("Show more", page)] : []));
  }

  next(text, page) {
    const button = element("button", { type: "button", class: "button small" }, text);
    button.addEventListener("click", () => this.load(page));
    return button;
  }
}

function rowOf(result) {
  const time = moment(result.recordTime) + (result.reconciled ? ", by the reconciler" : "");
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, ...named(result)),
    element("td", {}, count(result.attempt)),
    element("td", { class: "message" }, result.errorMessage),
    element("td", {}, time),
  );
}

function named(result) {
  const id = element("code", {}, result.jobId);
  const name = result.displayName.trim();
  return name ? [element("span", { class: "job-name" }, name), id] : [id];
}

function countOf(failed, total, hasMore) {
  if (!failed) return "";
  return hasMore ? kinds(total) : `${jobs(failed)} in ${kinds(total)}`;
}

const untyped = (group) => (group.fingerprint || group.sampleJobId ? "No error type" : "All other kinds");
const keyOf = (group) => group.fingerprint || JSON.stringify([group.errorType, group.messageTemplate]);
const kinds = (number) => (number === 1 ? "1 kind" : `${count(number)} kinds`);
