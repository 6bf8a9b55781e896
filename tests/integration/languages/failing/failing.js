// Reports a failure whose error has no text, and closes; its log asks the reporter.
import { Client } from "../src/index.js";

const client = Client.fromEnvironment();
const log = () => console.log(`log: ${reporter.unanswered} unanswered`);
const reporter = client.reporter("b", { log });
reporter.failed("17", Object.create(null));
console.log(`unsent: ${await reporter.close(2_000)}`);
client.close();
