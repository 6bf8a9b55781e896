// Reports that jobs succeeded, and waits until the server has answered. A report is counted once, however often it
// is sent. The jobs are arguments, or the lines of standard input.
//   node programs/worker.js sync-2026-11 17 18 19
//   seq 1037 | node programs/worker.js sync-2026-11
import { createInterface } from "node:readline";
import { Client, Disposition } from "../src/index.js";
import { codeFor, run } from "./run.js";

// Lines may come faster than the server records them: a reporter holds 100,000.
const UNANSWERED_MAX = 50_000;

await run("worker.js BATCH [JOB …]", 1, async ([batchId, ...jobIds]) => {
  const client = Client.fromEnvironment();
  const reporter = client.reporter(batchId);
  const counts = {};
  let code = 0;
  const note = ({ error, disposition }) => {
    const name = error?.reason ?? Disposition[disposition];
    counts[name] = (counts[name] ?? 0) + 1;
    if (error) code = codeFor(error.reason);
  };
  const answers = [];
  for await (const jobId of jobIds.length > 0 ? jobIds : createInterface({ input: process.stdin })) {
    // … the job's own work …
    answers.push(reporter.succeeded(jobId).then(note));
    if (reporter.unanswered >= UNANSWERED_MAX) await reporter.flush(Infinity);
  }
  await reporter.flush(Infinity);
  await Promise.all(answers);
  await reporter.close();
  client.close();
  for (const [name, count] of Object.entries(counts)) console.log(`${name}: ${count}`);
  return code;
});
