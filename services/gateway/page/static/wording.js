// Words for numbers, times and batches. Pure. 64-bit numbers arrive as strings.

const NUMBER = new Intl.NumberFormat("en");
const RATE = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const MOMENT = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]];
const AGO = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const PACE_SECONDS_DEFAULT = 60; // a server of 0.1 does not say how long a rate holds, and shows it that long
/** The word for each state, and the kind that styles it. */
export const STATES = {
  BATCH_STATE_PROCESSING: { word: "Running", kind: "running" },
  BATCH_STATE_COMPLETED: { word: "Completed", kind: "completed" },
  BATCH_STATE_CANCELLED: { word: "Cancelled", kind: "cancelled" },
};

/** Return a number such as "1,037". */
export const count = (number) => NUMBER.format(Number(number));

/** Return "1 job" or "12 jobs". */
export const jobs = (number) => `${count(number)} ${Number(number) === 1 ? "job" : "jobs"}`;

/** Return how many jobs of a batch have a result. */
export const endedJobs = (batch) => Number(batch.totalJobs) - Number(batch.pendingJobs);

/** Return "520 / 1,037", or "No jobs". */
export const countsOf = (batch) =>
  Number(batch.totalJobs) ? `${count(endedJobs(batch))} / ${count(batch.totalJobs)}` : "No jobs";

/** Return whether a batch has not ended. */
export const isRunning = (batch) => batch.state === "BATCH_STATE_PROCESSING";

/** Return the name of a batch for people. */
export const nameOf = (batch) => batch.displayName.trim() || batch.batchId;

/** Return the word for a state and the kind that styles it; a batch that does not move is stalled. */
export function stateOf(batch) {
  if (isRunning(batch) && batch.stallReason) return { word: "Stalled", kind: "stalled" };
  if (batch.state === "BATCH_STATE_COMPLETED" && Number(batch.failedJobs) > 0) {
    return { word: "Completed with failures", kind: "failures" };
  }
  return STATES[batch.state] ?? { word: "Unknown", kind: "running" };
}

/** Return a duration such as "42 s", "4 min 7 s", "1 h 6 min" or "2 d 3 h". */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const first = parts.findIndex(([size]) => whole >= size);
  if (first < 0) return "0 s";
  const [size, unit] = parts[first];
  const rest = parts[first + 1] && Math.floor((whole % size) / parts[first + 1][0]);
  return `${Math.floor(whole / size)} ${unit}` + (rest ? ` ${rest} ${parts[first + 1][1]}` : "");
}

/** Return a rate such as "173/s" or "4.2/s". */
export function rate(batch) {
  const perSecond = batch.jobsPerSecond;
  return `${RATE.format(perSecond >= 10 ? Math.round(perSecond) : perSecond)}/s`;
}

/** Return whether the rate of a batch still holds some seconds after the batch was received. */
export function paceHolds(batch, seconds) {
  return batch.jobsPerSecond > 0 && seconds < parseFloat(batch.paceHoldsFor ?? PACE_SECONDS_DEFAULT);
}

/** Return the remaining time at the current rate; empty if it is unknown. */
export function timeLeft(batch) {
  if (!isRunning(batch) || !batch.estimatedCompleteTime || batch.jobsPerSecond <= 0) return "";
  const seconds = Number(batch.pendingJobs) / batch.jobsPerSecond;
  return seconds < 1 ? "less than 1 s" : duration(seconds);
}

/** Return a timestamp of the contract as seconds since 1970. */
export const secondsOf = (time) => Date.parse(time) / 1000;

/** Return a time such as "24 Nov 2026, 14:31:06", in the reader's time zone. */
export const moment = (time) => MOMENT.format(Date.parse(time));

/** Return a time such as "2026-11-24 13:31:06 UTC", for everybody the same. */
export const utc = (time) => `${new Date(time).toISOString().slice(0, 19).replace("T", " ")} UTC`;

/** Return an age such as "3 minutes ago". */
export function ago(time) {
  const seconds = Date.now() / 1000 - secondsOf(time);
  const unit = UNITS.find(([, size]) => seconds >= size);
  return unit ? AGO.format(-Math.floor(seconds / unit[1]), unit[0]) : "just now";
}

/** Return a text with a capital letter and a full stop. */
export function sentence(text) {
  return text ? text[0].toUpperCase() + text.slice(1) + (text.endsWith(".") ? "" : ".") : "";
}

/** Return how many jobs of a batch may fail; empty if any number may. */
export function failureLimitOf({ failureLimit: limit }) {
  if (limit?.percent !== undefined) return `${limit.percent} % of the jobs`;
  return limit?.jobs === undefined ? "" : jobs(limit.jobs);
}

/** Return why a batch was cancelled; empty if it was not, or if somebody asked for it. */
export function cancelReasonOf(batch) {
  if (batch.cancelReason === "CANCEL_REASON_QUEUE") return "cancelled in the queue";
  return batch.cancelReason === "CANCEL_REASON_FAILURE_LIMIT" ? `more than ${failureLimitOf(batch)} failed` : "";
}

/** Return the pace of a batch some seconds after it was received, the reason of its stall, or when and why it ended. */
export function paceOf(batch, seconds = 0) {
  if (!isRunning(batch)) {
    return [`Ended ${ago(batch.completeTime)}`, cancelReasonOf(batch)].filter(Boolean).join(": ");
  }
  if (batch.stallReason) return sentence(batch.stallReason);
  const holds = paceHolds(batch, seconds);
  if (!holds && batch.lastResultTime) return `Last result ${ago(batch.lastResultTime)}`;
  if (!holds) return Number(batch.totalJobs) ? "Waiting for results" : "Waiting for jobs";
  const left = timeLeft(batch);
  return left ? `${rate(batch)}, ${left} left` : rate(batch);
}

/** Return the progress of a batch for screen readers. */
export function spoken(batch) {
  const failed = Number(batch.failedJobs) ? `, ${count(batch.failedJobs)} failed` : "";
  return `${batch.percentComplete} %, ${count(endedJobs(batch))} of ${jobs(batch.totalJobs)}${failed}`;
}
