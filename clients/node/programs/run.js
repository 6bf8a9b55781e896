// Runs a program: an error is one sentence and an exit code, those of the command line `batchprogress`.
import { CallFailed } from "../src/index.js";

export const WITH_FAILURES = 1;
const USAGE = 2;
export const CANCELLED = 3;
const NOT_FOUND = 4;
const UNAVAILABLE = 5;
const REFUSED = 6;
const CODES = { BATCH_NOT_FOUND: NOT_FOUND, UNSENT: UNAVAILABLE, "": UNAVAILABLE };

export async function run(usage, argumentsMin, program) {
  const given = process.argv.slice(2);
  if (given.length < argumentsMin) {
    console.error(`usage: node programs/${usage}`);
    process.exitCode = USAGE;
    return;
  }
  try {
    process.exitCode = await program(given);
  } catch (error) {
    console.error(error.message);
    process.exitCode = error instanceof CallFailed ? codeFor(error.reason) : USAGE;
  }
}

/** Returns the exit code for the server's reason. */
export function codeFor(reason) {
  return CODES[reason] ?? REFUSED;
}
