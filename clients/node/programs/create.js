// Creates a batch. Running it again changes nothing.
//   node programs/create.js sync-2026-11 1037
import { Client } from "../src/index.js";
import { run } from "./run.js";

await run("create.js BATCH TOTAL", 2, async ([batchId, total]) => {
  const client = Client.fromEnvironment();
  try {
    const { batch } = await client.call("createBatch", { batchId, totalJobs: BigInt(total) });
    console.log(`${batch.batchId}: ${batch.totalJobs} jobs`);
    return 0;
  } finally {
    client.close();
  }
});
