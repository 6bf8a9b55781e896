// The history of a batch, as the server keeps it.

import { call, Refusal } from "./api.js";
import { secondsOf } from "./wording.js";

const UNIMPLEMENTED = 501; // the answer of a server of version 0.1, which keeps no history

/** Return the points that the server kept, [seconds, ended, failed], each of which holds until the next; none if it kept none. */
export async function readHistory(batchId) {
  try {
    const { points } = await call("GetBatchHistory", { batchId });
    return points.map(pointOf);
  } catch (error) {
    if (error instanceof Refusal && error.status === UNIMPLEMENTED) return [];
    throw error;
  }
}

function pointOf(point) {
  const [succeeded, failed, skipped] = ["succeeded", "failed", "skipped"].map((name) => Number(point[`${name}Jobs`]));
  return [secondsOf(point.time), succeeded + failed + skipped, failed];
}
