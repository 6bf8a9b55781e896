import { BatchProgressElement, WORDS, type Batch, type Words } from "@batchprogress/web";

const bar = document.createElement("batch-progress");
bar.src = "https://progress.example";
bar.batchId = ["import-1", "import-2"];
const ids: string = bar.batchId;
bar.token = null;
bar.words = { running: "Läuft", counts: { one: "{done} von {total} Job", other: "{done} von {total} Jobs" } };
const words: Words = { ...WORDS, running: "Läuft" };
const percent: number | null = bar.totals.percent;

bar.addEventListener("progress", function ({ detail }) {
  const batch: Batch = detail.batch;
  const jobs: string = batch.totalJobs;
  if (batch.failureLimit && "percent" in batch.failureLimit) console.log(batch.failureLimit.percent.toFixed());
  console.log(jobs, detail.totals.done.toFixed(), this.batches.length);
});
bar.addEventListener("ended", (event) => console.log(event.detail.isLast, event.detail.batch.state === "BATCH_STATE_COMPLETED"));
bar.addEventListener("token-expiring", async ({ detail: { batchId, expireTime, isRefused } }) => {
  bar.token = await fetch(`/watch-token?batch=${batchId}`).then((answer) => answer.text());
  console.log(expireTime?.getTime(), isRefused);
});
bar.addEventListener("click", (event) => console.log(event.clientX), { once: true });
const element: HTMLElement = bar;
const found: BatchProgressElement | null = document.querySelector("batch-progress");
console.log(ids, words, percent, element, found);

// @ts-expect-error 64-bit numbers are strings
bar.addEventListener("progress", ({ detail }) => console.log(detail.batch.totalJobs + 1 - 1));
// @ts-expect-error there is no such word
bar.words = { runing: "Läuft" };
// @ts-expect-error the state is read-only
bar.totals = null;
