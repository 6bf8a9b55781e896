// Watches a batch until it ends, through restarts of servers and proxies.
//   node programs/watch.js sync-2026-11
import { BatchState, Client } from "../src/index.js";
import { CANCELLED, run, WITH_FAILURES } from "./run.js";

await run("watch.js BATCH", 1, async ([batchId]) => {
  const client = Client.fromEnvironment();
  const onWaiting = (failure) => console.error(`waiting for the server: ${failure}`);
  let last;
  for await (const batch of client.watch(batchId, { onWaiting })) {
    const { succeededJobs, failedJobs, skippedJobs, totalJobs, percentComplete, state } = batch;
    const ended = succeededJobs + failedJobs + skippedJobs;
    console.log(`${percentComplete} % ${ended} of ${totalJobs}, ${failedJobs} failed ${BatchState[state]}`);
    last = batch;
  }
  if (last.state === BatchState.CANCELLED) return CANCELLED;
  return last.failedJobs > 0n ? WITH_FAILURES : 0;
});
