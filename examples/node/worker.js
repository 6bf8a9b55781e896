// Reports how a job ended and retries until the server answers.
//   npm install @grpc/grpc-js @grpc/proto-loader
//   node worker.js 127.0.0.1:50051 sync-2026-11 17
const path = require("node:path");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const protos = process.env.PROTOS ?? path.join(__dirname, "../../protos");
const definition = loader.loadSync("batchprogress/v1/progress.proto", { includeDirs: [protos], keepCase: true });
const { ProgressService } = grpc.loadPackageDefinition(definition).batchprogress.v1;
// With these the server refuses a report. Any other error may come from a proxy, or pass.
const { INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, FAILED_PRECONDITION } = grpc.status;
const REFUSED = new Set([INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, FAILED_PRECONDITION]);

const [, , server, batch_id, job_id] = process.argv;
const progress = new ProgressService(server, grpc.credentials.createInsecure());

function report(result) {
  return new Promise((resolve, reject) => {
    // A new deadline for each try, but always the same job id: it is counted once.
    progress.ReportJobResult(result, { deadline: Date.now() + 10_000 }, (error, response) => {
      if (!error) resolve(response);
      else if (REFUSED.has(error.code)) reject(error);
      else setTimeout(() => report(result).then(resolve, reject), Math.random() * 2_000);
    });
  });
}

report({ batch_id, job_id, outcome: "JOB_OUTCOME_SUCCEEDED", attempt: 1 }).then((response) => {
  console.log(response.disposition);
  progress.close();
});
