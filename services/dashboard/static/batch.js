// The page of one batch, updated with each change until the batch ends.

import { sayConnected, sayEnded } from "./api.js";
import { Bar } from "./bar.js";
import { byId, element, labelled, setAttribute, setChildren, setPairs, setText } from "./dom.js";
import { Failures } from "./failures.js";
import { EventStream } from "./event_stream.js";
import { Announcer } from "./announcer.js";
import { PendingJobs } from "./pending.js";
import { Plot } from "./plot.js";
import { Refresher } from "./refresher.js";
import { showRepairs } from "./repairs.js";
import * as wording from "./wording.js";

const IDENTIFIER = /^[!-~]{1,128}$/; // the contract's rule; the dashboard opens no stream for other ids
const REDRAWN_MS = 1000; // texts such as "3 minutes ago" change with time

const batchId = new URLSearchParams(location.search).get("id") ?? "";
const bar = new Bar("Progress");
const plot = new Plot(byId("plot"), byId("plot-readout"));
const announcer = new Announcer(byId("news"));
const failures = new Failures(batchId);
const pendingJobs = new PendingJobs(batchId);
const failuresRefresher = new Refresher(() => failures.refresh());
const repairsRefresher = new Refresher(async () => {
  plot.repairs = await showRepairs(batchId);
  plot.draw();
});
let batch = null;
let receivedMs = 0;
let stream = null;

const listener = {
  history: (points) => plot.begin(points),
  state(newer) {
    batch = newer;
    receivedMs = performance.now();
    sayConnected();
    show();
    if (batch.state !== "PROCESSING") end();
  },
  problem({ message }) {
    if (!batch) showNothing("Nothing to show yet", message);
    sayConnected(message);
  },
  unknown({ message }) {
    stream?.end();
    batch = null;
    showNothing("No such batch", message);
    sayEnded("Not found");
  },
};

function showNothing(title, message) {
  byId("batch").hidden = true;
  byId("nothing").hidden = false;
  setChildren(byId("nothing"), [element("h1", {}, title), element("code", {}, batchId), element("p", {}, message)]);
  document.title = `${title} · Batch Progress`;
}

function end() {
  stream?.end();
  sayEnded("Ended");
}

function show() {
  byId("nothing").hidden = true;
  byId("batch").hidden = false;
  showName();
  showProgress();
  setPairs(byId("tallies"), tallies());
  setPairs(byId("facts"), facts());
  showPlot();
  announcer.tell(batch);
  failuresRefresher.due(batch.failed_jobs);
  pendingJobs.update(batch);
  repairsRefresher.due(`${batch.reconciled_jobs} ${batch.state} ${batch.total_jobs}`);
}

function showName() {
  const name = wording.nameOf(batch);
  const { word, kind } = wording.stateOf(batch);
  document.title = `${batch.percent_complete} % · ${name}`;
  setText(byId("name"), name);
  setText(byId("id"), batch.batch_id);
  byId("id").hidden = name === batch.batch_id;
  setText(byId("state"), word);
  setAttribute(byId("state"), "data-kind", kind);
  const labels = Object.entries(batch.labels).sort();
  if (byId("labels").childElementCount !== labels.length) setChildren(byId("labels"), labels.map(labelLink));
}

function labelLink([key, value]) {
  const address = `./?${new URLSearchParams({ label: `${key}=${value}` })}`;
  return labelled("a", key, value, { href: address });
}

function showProgress() {
  bar.update(batch);
  setText(byId("percent"), String(batch.percent_complete));
  setPairs(byId("pace"), pace());
  const reason = batch.stall_reason || wording.cancelReasonOf(batch);
  byId("stall").hidden = !reason;
  setText(byId("stall-title"), batch.state === "PROCESSING" ? "Not moving" : "Cancelled");
  setText(byId("stall-reason"), wording.sentence(reason));
}

function pace() {
  const pairs = [["Jobs ended", `${wording.count(wording.endedJobs(batch))} of ${wording.jobs(batch.total_jobs)}`]];
  if (batch.state !== "PROCESSING") {
    const seconds = wording.secondsOf(batch.complete_time) - wording.secondsOf(batch.create_time);
    return [...pairs, ["Took", wording.duration(seconds)]];
  }
  const holds = wording.paceHolds(batch, (performance.now() - receivedMs) / 1000);
  if (batch.stall_reason || (!holds && batch.last_result_time)) {
    return [...pairs, ["Last result", batch.last_result_time ? wording.ago(batch.last_result_time) : "none yet"]];
  }
  const left = batch.sealed ? wording.timeLeft(batch) || "unknown" : "unknown, jobs may be added";
  return [...pairs, ["Rate", batch.jobs_per_second > 0 ? wording.rate(batch) : "0/s"], ["Time left", left]];
}

function tallies() {
  const names = ["succeeded", "failed", "skipped", "pending", "total"];
  return names.map((name) => {
    const jobs = batch[`${name}_jobs`];
    return [name, wording.count(jobs), Number(jobs) ? name : `${name} none`];
  });
}

function facts() {
  const none = batch.state === "PROCESSING" ? "none yet" : "none";
  const time = (name) => (batch[name] ? `${wording.moment(batch[name])} (${wording.ago(batch[name])})` : none);
  const pairs = [["Created", time("create_time")], ["Last result", time("last_result_time")]];
  if (batch.complete_time) pairs.push(["Ended", time("complete_time")]);
  const limit = wording.failureLimitOf(batch);
  if (limit) pairs.push(["May fail", limit]);
  return [
    ...pairs,
    ["Jobs may be added", batch.sealed ? "no, the batch is sealed" : "yes, the batch is not sealed"],
    ["Reported by workers", wording.count(wording.endedJobs(batch) - Number(batch.reconciled_jobs))],
    ["Found by the reconciler", wording.count(batch.reconciled_jobs)],
    ["Revision", wording.count(batch.revision)],
  ];
}

function showPlot() {
  byId("plot-card").hidden = !Number(batch.total_jobs); // a batch without jobs has no shares to draw
  const from = wording.secondsOf(batch.create_time);
  const newest = wording.secondsOf(batch.last_result_time ?? batch.create_time);
  const to = Math.max(newest, batch.complete_time ? wording.secondsOf(batch.complete_time) : Date.now() / 1000);
  const frame = { from, to, total: Number(batch.total_jobs), moves: !batch.stall_reason };
  plot.add([newest, wording.endedJobs(batch), Number(batch.failed_jobs)], frame);
}

byId("bar").append(bar.node);
if (IDENTIFIER.test(batchId)) stream = new EventStream(batchId, listener);
else listener.unknown({ message: "The address contains no valid batch id." });
setInterval(() => batch && !document.hidden && show(), REDRAWN_MS);
