// The page of one batch, updated with each change until the batch ends.

import { sayConnected, sayEnded } from "./api.js";
import { Bar } from "./bar.js";
import { Changes } from "./changes.js";
import { byId, element, labelled, setAttribute, setChildren, setPairs, setText } from "./dom.js";
import { Failures } from "./failures.js";
import { EventStream } from "./event_stream.js";
import { Announcer } from "./announcer.js";
import { recallList } from "./list_memory.js";
import { PendingJobs } from "./pending.js";
import { readHistory } from "./history.js";
import { Plot } from "./plot.js";
import { Refresher } from "./refresher.js";
import { showRepairs } from "./repairs.js";
import * as wording from "./wording.js";

const IDENTIFIER = /^[!-~]{1,128}$/; // the contract's rule; no stream is opened for other ids
const REDRAWN_MS = 1000; // texts such as "3 minutes ago" change with time

const batchId = new URLSearchParams(location.search).get("id") ?? "";
const bar = new Bar("Progress");
const plot = new Plot(byId("plot"), byId("plot-readout"));
const announcer = new Announcer(byId("news"));
const failures = new Failures(batchId);
const pendingJobs = new PendingJobs(batchId);
const failuresRefresher = new Refresher(() => failures.refresh(batch.failedJobs));
const repairsRefresher = new Refresher(async () => {
  plot.repairs = await showRepairs(batchId);
  plot.draw();
});
const historyRefresher = new Refresher(async () => {
  plot.begin(await readHistory(batchId));
  if (batch) showGap();
});
const changes = new Changes(batchId, (changed) => listener.read(changed));
let batch = null;
let connections = 0; // what happened between two of them is only in the history
let receivedMs = 0;
let stream = null;

const listener = {
  opened() {
    connections += 1;
    if (batch) sayConnected();
  },
  state(newer) {
    batch = newer;
    receivedMs = performance.now();
    sayConnected();
    show();
    if (!wording.isRunning(batch)) end();
  },
  read(newer) {
    if (!batch || Number(newer.revision) >= Number(batch.revision)) listener.state(newer); // a read may be late
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
  failuresRefresher.due(batch.failedJobs);
  pendingJobs.update(batch);
  changes.update(batch);
  repairsRefresher.due(`${batch.reconciledJobs} ${batch.state} ${batch.totalJobs}`);
}

function showName() {
  const name = wording.nameOf(batch);
  const { word, kind } = wording.stateOf(batch);
  document.title = `${batch.percentComplete} % · ${name}`;
  setText(byId("name"), name);
  setText(byId("id"), batch.batchId);
  byId("id").hidden = name === batch.batchId;
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
  setText(byId("percent"), String(batch.percentComplete));
  setPairs(byId("pace"), pace());
  const reason = batch.stallReason || wording.cancelReasonOf(batch);
  byId("stall").hidden = !reason;
  setText(byId("stall-title"), wording.isRunning(batch) ? "Not moving" : "Cancelled");
  setText(byId("stall-reason"), wording.sentence(reason));
}

function pace() {
  const pairs = [["Jobs ended", `${wording.count(wording.endedJobs(batch))} of ${wording.jobs(batch.totalJobs)}`]];
  if (!wording.isRunning(batch)) {
    const seconds = wording.secondsOf(batch.completeTime) - wording.secondsOf(batch.createTime);
    return [...pairs, ["Took", wording.duration(seconds)]];
  }
  const holds = wording.paceHolds(batch, (performance.now() - receivedMs) / 1000);
  if (batch.stallReason || (!holds && batch.lastResultTime)) {
    return [...pairs, ["Last result", batch.lastResultTime ? wording.ago(batch.lastResultTime) : "none yet"]];
  }
  const left = batch.sealed ? wording.timeLeft(batch) || "unknown" : "unknown, jobs may be added";
  return [...pairs, ["Rate", batch.jobsPerSecond > 0 ? wording.rate(batch) : "0/s"], ["Time left", left]];
}

function tallies() {
  const names = ["succeeded", "failed", "skipped", "pending", "total"];
  return names.map((name) => {
    const jobs = batch[`${name}Jobs`];
    return [name, wording.count(jobs), Number(jobs) ? name : `${name} none`];
  });
}

function facts() {
  const none = wording.isRunning(batch) ? "none yet" : "none";
  const time = (term, name) => {
    if (!batch[name]) return [term, none];
    return [term, `${wording.moment(batch[name])} (${wording.ago(batch[name])})`, "", wording.utc(batch[name])];
  };
  const pairs = [time("Created", "createTime"), time("Last result", "lastResultTime")];
  if (batch.completeTime) pairs.push(time("Ended", "completeTime"));
  const limit = wording.failureLimitOf(batch);
  if (limit) pairs.push(["May fail", limit]);
  return [
    ...pairs,
    ["Jobs may be added", batch.sealed ? "no, the batch is sealed" : "yes, the batch is not sealed"],
    ["Reported by workers", wording.count(wording.endedJobs(batch) - Number(batch.reconciledJobs))],
    ["Found by the reconciler", wording.count(batch.reconciledJobs)],
    ["Revision", wording.count(batch.revision)],
  ];
}

function showPlot() {
  byId("plot-card").hidden = !Number(batch.totalJobs); // a batch without jobs has no shares to draw
  const from = wording.secondsOf(batch.createTime);
  const newest = wording.secondsOf(batch.lastResultTime ?? batch.createTime);
  const to = Math.max(newest, batch.completeTime ? wording.secondsOf(batch.completeTime) : Date.now() / 1000);
  const frame = { from, to, total: Number(batch.totalJobs), moves: !batch.stallReason, hasEnded: !wording.isRunning(batch) };
  plot.add([newest, wording.endedJobs(batch), Number(batch.failedJobs)], frame);
  historyRefresher.due(`${connections} ${batch.createTime} ${batch.state} ${batch.reconciledJobs}`);
  showGap();
}

function showGap() {
  setText(byId("plot-gap"), plot.gap());
}

byId("bar").append(bar.node);
byId("back").href = recallList();
if (IDENTIFIER.test(batchId)) stream = new EventStream(batchId, listener);
else listener.unknown({ message: "The address contains no valid batch id." });
setInterval(() => batch && !document.hidden && show(), REDRAWN_MS);
