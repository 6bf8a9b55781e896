// Watches a batch until it ends, through restarts of servers and proxies.
//   npm ci
//   node watch.js 127.0.0.1:50051 sync-2026-11
const path = require("node:path");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const protos = process.env.PROTOS ?? path.join(__dirname, "../../protos");
const definition = loader.loadSync("batchprogress/v1/progress.proto", {
  includeDirs: [protos],
  keepCase: true,
  defaults: true,
  enums: String,
  longs: String,
});
const { ProgressService } = grpc.loadPackageDefinition(definition).batchprogress.v1;

const KEEPALIVE = { "grpc.keepalive_time_ms": 10_000, "grpc.keepalive_timeout_ms": 10_000 };
const HEARTBEAT_SECONDS = 20; // haproxy ends a quiet stream after 50 s, nginx after 60 s
// The field `domain` of an ErrorInfo: a status without it comes from a proxy, or from a broken connection.
const FROM_SERVER = "\x12\x0dbatchprogress";
const { UNAVAILABLE, CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED } = grpc.status;
const LATER = new Set([UNAVAILABLE, CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED]);

const [, , server, batch_id] = process.argv;
const progress = new ProgressService(server, grpc.credentials.createInsecure(), KEEPALIVE);
let revision = "";
let hasEnded = false;
let tries = 0;

function isRefused({ code, metadata }) {
  const [details] = metadata.get("grpc-status-details-bin");
  return !LATER.has(code) && Boolean(details?.includes(FROM_SERVER));
}

function show({ batch }) {
  tries = 0;
  if (!batch || batch.revision === revision) return; // a heartbeat, or the state that is shown
  revision = batch.revision;
  hasEnded = batch.state !== "BATCH_STATE_PROCESSING";
  console.log(`${batch.percent_complete} % ${batch.state}`);
}

// Without after_revision the server sends the present state at once: a stream that says nothing is dead.
function watchOnce(done) {
  const stream = progress.WatchBatch({ batch_id, heartbeat_interval: { seconds: HEARTBEAT_SECONDS } });
  let silentMs = 3_000 * HEARTBEAT_SECONDS;
  let silence;
  const listen = () => {
    clearTimeout(silence);
    if (silentMs) silence = setTimeout(() => stream.cancel(), silentMs);
  };
  listen();
  stream.on("metadata", (metadata) => {
    // A server of 0.1 sends no heartbeats, and nothing else until the batch changes.
    const [seconds] = metadata.get("batchprogress-heartbeat-seconds");
    silentMs = seconds ? 3_000 * seconds : 0;
    listen();
  });
  stream.on("data", (response) => {
    listen();
    show(response);
  });
  stream.on("error", () => {}); // `status` comes for each end, also for an error
  stream.on("status", (status) => {
    clearTimeout(silence);
    done(status);
  });
}

function watch() {
  watchOnce((status) => {
    if (!hasEnded && !isRefused(status)) {
      setTimeout(watch, Math.random() * Math.min(5_000, 50 * 2 ** tries++));
      return;
    }
    progress.close();
    if (!hasEnded) {
      console.error(status.details);
      process.exitCode = 1;
    }
  });
}

watch();
