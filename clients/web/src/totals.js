// Adds batches up. Pure. 64-bit numbers arrive as strings.

const ENDED = new Set(["BATCH_STATE_COMPLETED", "BATCH_STATE_CANCELLED"]);

/** Return whether a batch has ended. */
export const hasEnded = (batch) => ENDED.has(batch.state);

/** Return the sums over batches; `expected` is their number, of which some may not be known yet. */
export function totalsOf(batches, expected) {
  const sum = (name) => batches.reduce((all, batch) => all + Number(batch[name]), 0);
  const isWhole = batches.length > 0 && batches.length === expected;
  const isFinal = isWhole && batches.every((batch) => batch.sealed || hasEnded(batch));
  const [total, pending] = [sum("totalJobs"), sum("pendingJobs")];
  const isDone = pending === 0 && batches.every((batch) => batch.sealed);
  return {
    total,
    done: total - pending,
    succeeded: sum("succeededJobs"),
    failed: sum("failedJobs"),
    skipped: sum("skippedJobs"),
    percent: isFinal ? percentOf(total - pending, total, isDone) : null,
    state: batches.length ? stateOf(batches, isWhole) : "connecting",
  };
}

/** Return the percentage, rounded down; 100 only if everything is done. */
function percentOf(done, total, isDone) {
  if (isDone) return 100;
  return total ? Math.min(99, Math.floor((100 * done) / total)) : 0;
}

/** Return the word for the state of totals: the state, or why it is so. */
export function wordOf({ state }, batches) {
  const isOverLimit = batches.some((batch) => batch.cancelReason === "CANCEL_REASON_FAILURE_LIMIT");
  return state === "cancelled" && isOverLimit ? "overLimit" : state;
}

function stateOf(batches, isWhole) {
  const running = batches.filter((batch) => !hasEnded(batch));
  if (running.length && running.every((batch) => batch.stallReason)) return "stalled";
  if (running.length || !isWhole) return "running";
  if (batches.some((batch) => batch.state === "BATCH_STATE_CANCELLED")) return "cancelled";
  return batches.some((batch) => Number(batch.failedJobs)) ? "failures" : "completed";
}
