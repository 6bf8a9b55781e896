export { Client } from "./client.js";
export { CallFailed } from "./failure.js";
export { BatchState, Disposition, JobOutcome } from "./generated/batchprogress/v1/progress_pb.js";
