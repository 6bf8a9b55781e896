// The failures, grouped by error; a group can be expanded to list its jobs.

import { call } from "./api.js";
import { AllFailedJobs } from "./all_failed_jobs.js";
import { byId, element, setChildren, setText } from "./dom.js";
import { FailedJobs } from "./failed_jobs.js";
import { JobDialog } from "./job_dialog.js";
import { count, jobs } from "./wording.js";

const GROUPS_PAGE_SIZE = 100;

export class Failures {
  constructor(batchId) {
    this.batchId = batchId;
    this.groups = new Map();
    this.pages = 1;
    this.failedJobs = 0;
    const dialog = new JobDialog(batchId);
    this.open = (result) => dialog.open(result);
    this.all = new AllFailedJobs(batchId, this.open);
    dialog.openNamed();
    byId("failures-next").addEventListener("click", () => this.showMore());
  }

  /** Read the groups; the number of failed jobs is the batch's, since not all groups need be shown. */
  async refresh(failedJobs = this.failedJobs) {
    this.failedJobs = failedJobs;
    const { groups, total, hasMore } = await this.read();
    this.groups = new Map(groups.map((group) => [keyOf(group), this.groupOf(group)]));
    setChildren(byId("failures"), [...this.groups.values()].map((group) => group.node));
    byId("no-failures").hidden = Number(failedJobs) > 0;
    byId("failures-more").hidden = !hasMore;
    setText(byId("failures-shown"), `${count(groups.length)} largest of ${kinds(total)} shown. `);
    setText(byId("failures-count"), countOf(failedJobs, total));
    this.all.update(groups.length > 0);
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
    const shown = this.groups.get(keyOf(group)) ?? new Group(this.batchId, group, this.open);
    shown.update(group);
    return shown;
  }
}

class Group {
  constructor(batchId, group, open) {
    this.fingerprint = group.fingerprint; // none for all further kinds, and from servers of 0.1
    this.count = element("span", { class: "failure-count" });
    this.sample = element("span", { class: "failure-sample" });
    this.jobs = new FailedJobs(batchId, "Jobs that failed with this error", open);
    this.jobs.node.hidden = true;
    this.button = element(
      "button",
      { type: "button", class: "failure-head", "aria-expanded": "false" },
      this.count,
      element("span", { class: "failure-type" }, group.errorType || untyped(group)),
      this.sample,
    );
    this.button.disabled = !this.fingerprint;
    this.button.addEventListener("click", () => this.toggle());
    this.node = element("li", {}, element("h3", {}, this.button), this.jobs.node);
  }

  update(group) {
    setText(this.count, count(group.failedJobs));
    setText(this.sample, this.fingerprint || group.sampleErrorMessage ? group.sampleErrorMessage : "Among all failed jobs, below.");
  }

  toggle() {
    const opens = this.jobs.node.hidden;
    this.jobs.node.hidden = !opens;
    this.button.setAttribute("aria-expanded", String(opens));
    if (opens) this.jobs.list({ fingerprint: this.fingerprint });
    else this.jobs.stop();
  }
}

/** A queue may have counted failures without naming them: these are in no group. */
function countOf(failedJobs, total) {
  if (!Number(failedJobs)) return "";
  return total ? `${jobs(failedJobs)} in ${kinds(total)}` : jobs(failedJobs);
}

const untyped = (group) => (group.fingerprint || group.sampleJobId ? "No error type" : "All other kinds");
const keyOf = (group) => group.fingerprint || JSON.stringify([group.errorType, group.messageTemplate]);
const kinds = (number) => (number === 1 ? "1 kind" : `${count(number)} kinds`);
