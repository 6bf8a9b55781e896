// Calls the gateway at argv[2] with Connect's official clients, one line of JSON for each transport.
// argv[3] is a file with the descriptors of the contract, so that no code has to be generated.
import { readFileSync } from "node:fs";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import * as node from "@connectrpc/connect-node";
import * as web from "@connectrpc/connect-web";

const [, , baseUrl, descriptors] = process.argv;
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptors)));
const service = registry.getService("batchprogress.v1.ProgressService");
const httpVersion = "1.1";

const transports = {
  "web-connect-json": web.createConnectTransport({ baseUrl }),
  "web-connect-binary": web.createConnectTransport({ baseUrl, useBinaryFormat: true }),
  "web-connect-get": web.createConnectTransport({ baseUrl, useHttpGet: true }),
  "web-grpc-web": web.createGrpcWebTransport({ baseUrl }),
  "web-grpc-web-json": web.createGrpcWebTransport({ baseUrl, useBinaryFormat: false }),
  "node-connect": node.createConnectTransport({ baseUrl, httpVersion, useBinaryFormat: true }),
  "node-connect-get": node.createConnectTransport({ baseUrl, httpVersion, useHttpGet: true }),
  "node-grpc-web": node.createGrpcWebTransport({ baseUrl, httpVersion }),
};

async function errorOf(call) {
  try {
    await call;
  } catch (error) {
    return { code: error.code, message: error.rawMessage, details: error.details.map((one) => one.type) };
  }
}

for (const [name, transport] of Object.entries(transports)) {
  const client = createClient(service, transport);
  const batchId = name;
  await client.createBatch({ batchId, totalJobs: 2n });
  const states = [];
  for await (const { batch } of client.watchBatch({ batchId })) {
    states.push(batch.percentComplete);
    if (batch.percentComplete < 100) {
      const jobId = String(states.length);
      await client.reportJobResult({ batchId, jobId, outcome: 1 });
      await client.reportJobResult({ batchId, jobId, outcome: 1 });
    }
  }
  const { batch } = await client.getBatch({ batchId });
  const missing = await errorOf(client.getBatch({ batchId: "missing" }));
  console.log(JSON.stringify({ name, states, succeeded: Number(batch.succeededJobs), missing }));
}
process.exit(0); // connect-node keeps connections open
