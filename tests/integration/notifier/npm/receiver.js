// Receives webhooks as an application with the library of Standard Webhooks does: node receiver.js SECRET
// Writes its port, and then a line of JSON for each request.

import { createServer } from "node:http";

import { Webhook } from "standardwebhooks";

const webhook = new Webhook(process.argv[2]);

const server = createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const id = request.headers["webhook-id"];
  try {
    const { type, data } = webhook.verify(Buffer.concat(parts).toString(), request.headers);
    console.log(JSON.stringify({ id, type, batchId: data.batch.batchId }));
    response.writeHead(204).end();
  } catch (error) {
    console.log(JSON.stringify({ id, error: error.message }));
    response.writeHead(401).end();
  }
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
