// Sends what reporters have left before the process ends: by itself, or by SIGTERM or SIGINT.
// `process.exit()` ends it at once: await `close()` of each reporter before.

const SIGNALS = ["SIGTERM", "SIGINT"];
const reporters = new Set();

/** Closes a reporter before the process ends. */
export function closeAtExit(reporter) {
  if (reporters.size === 0) {
    process.on("beforeExit", closeAll);
    for (const signal of SIGNALS) process.once(signal, closeAndRaise);
  }
  reporters.add(reporter);
}

/** Forgets a reporter that is closed. */
export function forget(reporter) {
  if (!reporters.delete(reporter) || reporters.size > 0) return;
  process.off("beforeExit", closeAll);
  for (const signal of SIGNALS) process.off(signal, closeAndRaise);
}

async function closeAll() {
  await Promise.all([...reporters].map((reporter) => reporter.close()));
}

async function closeAndRaise(signal) {
  // A second signal ends the process at once, as it did without us.
  const hasOwn = process.listenerCount(signal) > 0;
  await closeAll();
  // A program that handles the signal ends by itself.
  if (!hasOwn) process.kill(process.pid, signal);
}
