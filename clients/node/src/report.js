import { create, toBinary } from "@bufbuild/protobuf";
import { ReportJobResultRequestSchema } from "./generated/batchprogress/v1/progress_pb.js";

// Where the server cuts texts, in characters.
const ERROR_TYPE_MAX = 200;
const ERROR_MESSAGE_MAX = 2_000;
const DISPLAY_NAME_MAX = 200;

/** Returns the fields of a report that an error has; `error` is an Error, or a message. */
export function because(error) {
  if (error instanceof Error) return { errorType: error.name, errorMessage: error.message };
  return { errorMessage: error ?? "" };
}

/** Returns a report. */
export function newReport(batchId, jobId, outcome, { attempt = 1, errorType, errorMessage, displayName }) {
  return create(ReportJobResultRequestSchema, {
    batchId: valid(batchId),
    jobId: valid(jobId),
    outcome,
    attempt,
    errorType: cut(errorType, ERROR_TYPE_MAX),
    errorMessage: cut(errorMessage, ERROR_MESSAGE_MAX),
    displayName: cut(displayName, DISPLAY_NAME_MAX),
  });
}

/** Returns the size of a report in bytes. Throws if it has a value that cannot be sent, such as a fraction as attempt. */
export function sizeOf(report) {
  return toBinary(ReportJobResultRequestSchema, report).length;
}

// Only whole characters can be sent; the server refuses an id that had others.
function valid(value) {
  return textOf(value).toWellFormed();
}

// Anything can be thrown, also what has no text: reporting it must not throw, too.
function textOf(value) {
  try {
    return String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

// A character may be two UTF-16 units.
function cut(text = "", max) {
  const whole = valid(text);
  return whole.length <= max ? whole : [...whole.slice(0, 2 * max)].slice(0, max).join("");
}
