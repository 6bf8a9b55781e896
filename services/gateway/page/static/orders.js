// Orders of batches that ProgressService does not have. Pure.

import { isRunning } from "./wording.js";

/** The orders by their names in the page's address; without one, the newest batch is the first. */
export const ORDERS = {
  oldest: (a, b) => Date.parse(a.createTime) - Date.parse(b.createTime),
  left: (a, b) => compare(secondsLeft(a), secondsLeft(b)),
  failures: (a, b) => Number(b.failedJobs) - Number(a.failedJobs),
};

const compare = (a, b) => (a === b ? 0 : a - b); // two infinite numbers have no difference

/** Return the seconds until the end of a batch; infinite if they are unknown, or it has ended. */
function secondsLeft(batch) {
  if (!isRunning(batch) || !batch.estimatedCompleteTime || batch.jobsPerSecond <= 0) return Infinity;
  return Number(batch.pendingJobs) / batch.jobsPerSecond;
}
