// Reports how a job ended and retries until the server answers.
//   npm ci
//   node worker.js 127.0.0.1:50051 sync-2026-11 17
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

const KEEPALIVE = {
  "grpc.keepalive_time_ms": 10_000, // the server allows one ping every 5 s
  "grpc.keepalive_timeout_ms": 10_000, // a busy proxy answers a ping after seconds
};
// The field `domain` of an ErrorInfo: an error without it comes from a proxy, or from a broken connection.
const FROM_SERVER = "\x12\x0dbatchprogress";
// With these the server does not refuse the report: it is busy, or a person has to change something first.
const { UNAVAILABLE, CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED } = grpc.status;
const { UNAUTHENTICATED, PERMISSION_DENIED, UNIMPLEMENTED } = grpc.status;
const LATER = new Set([
  ...[UNAVAILABLE, CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED],
  ...[UNAUTHENTICATED, PERMISSION_DENIED, UNIMPLEMENTED],
]);

function isRefused(error) {
  const [details] = error.metadata.get("grpc-status-details-bin");
  return !LATER.has(error.code) && Boolean(details?.includes(FROM_SERVER));
}

const [, , server, batch_id, job_id] = process.argv;
const progress = new ProgressService(server, grpc.credentials.createInsecure(), KEEPALIVE);

function report(result, tries = 0) {
  return new Promise((resolve, reject) => {
    // A new deadline for each try, but always the same job id: it is counted once.
    progress.ReportJobResult(result, { deadline: Date.now() + 10_000 }, (error, response) => {
      if (!error) resolve(response);
      else if (isRefused(error)) reject(error);
      else setTimeout(() => report(result, tries + 1).then(resolve, reject), delayMs(tries));
    });
  });
}

function delayMs(tries) {
  return Math.random() * Math.min(5_000, 50 * 2 ** tries);
}

report({ batch_id, job_id, outcome: "JOB_OUTCOME_SUCCEEDED", attempt: 1 })
  .then((response) => console.log(response.disposition))
  .catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  })
  .finally(() => progress.close());
