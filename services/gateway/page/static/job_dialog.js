// One failed job: its error with the stack trace, and a link to the queue's own page.

import { call } from "./api.js";
import { copyText } from "./clipboard.js";
import { byId, setPairs, setText } from "./dom.js";
import { count, moment } from "./wording.js";

const UNKNOWN_CALL = 501; // a server of an earlier version has no GetJobResult

export class JobDialog {
  constructor(batchId) {
    this.batchId = batchId;
    this.dialog = byId("job");
    byId("job-close").addEventListener("click", () => this.dialog.close());
    byId("job-copy").addEventListener("click", (event) => copyText(this.text(), event.currentTarget));
    this.dialog.addEventListener("close", () => this.remember(""));
  }

  /** Open the job that the address names, if it names one. */
  openNamed() {
    const jobId = new URLSearchParams(location.search).get("job");
    if (jobId) this.open({ jobId });
  }

  /** Show what is known of a job at once, and the rest when it has been read. */
  async open(result) {
    this.show(result, "Loading…");
    if (!this.dialog.open) this.dialog.showModal();
    this.remember(result.jobId);
    await Promise.all([this.read(result), this.link(result.jobId)]);
  }

  async read(known) {
    try {
      const { jobResult } = await call("GetJobResult", { batchId: this.batchId, jobId: known.jobId });
      if (this.result.jobId === known.jobId) this.show(jobResult, "No stack trace was kept.");
    } catch (error) {
      const isOld = error.status === UNKNOWN_CALL;
      if (this.result.jobId === known.jobId) this.show(known, isOld ? "This server keeps no stack traces." : error.message);
    }
  }

  show(result, note) {
    this.result = result;
    setText(byId("job-title"), result.displayName?.trim() || result.jobId);
    setPairs(byId("job-facts"), facts(result));
    setText(byId("job-error"), result.errorMessage ?? "");
    setText(byId("job-details"), result.errorDetails ?? "");
    byId("job-error").hidden = !result.errorMessage;
    byId("job-details").hidden = !result.errorDetails;
    setText(byId("job-note"), result.errorDetails ? "" : note);
  }

  /** Link to the job on the queue's own page, if the gateway's operator has said where that is. */
  async link(jobId) {
    const place = byId("job-link");
    place.hidden = true;
    this.settings ??= fetch("page.json").then((response) => response.json());
    const { jobUrl } = await this.settings.catch(() => {
      this.settings = undefined; // read with the next job
      return { jobUrl: "" };
    });
    if (!jobUrl || this.result.jobId !== jobId) return;
    const ids = { job_id: jobId, batch_id: this.batchId };
    place.href = jobUrl.replace(/\{(job_id|batch_id)\}/g, (_, name) => encodeURIComponent(ids[name]));
    setText(place, `Open in the queue (${place.hostname})`);
    place.hidden = false;
  }

  text() {
    const { jobId, errorType = "", errorMessage = "", errorDetails = "" } = this.result;
    return [`${jobId}: ${errorType}: ${errorMessage}`, errorDetails].filter(Boolean).join("\n\n");
  }

  /** Keep the job in the address, so that a copied link opens it. */
  remember(jobId) {
    const address = new URL(location.href);
    if (jobId) address.searchParams.set("job", jobId);
    else address.searchParams.delete("job");
    history.replaceState(history.state, "", address);
  }
}

function facts(result) {
  const pairs = [["Job", result.jobId]];
  if (!result.recordTime) return pairs;
  const by = result.reconciled ? ", by the reconciler" : "";
  pairs.push(["Outcome", (result.outcome ?? "").replace("JOB_OUTCOME_", "").toLowerCase()]);
  pairs.push(["Attempt", count(result.attempt)], ["Recorded", moment(result.recordTime) + by]);
  return result.errorType ? [...pairs, ["Error type", result.errorType]] : pairs;
}
