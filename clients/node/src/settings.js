// How a server is reached: by the same environment variables as the Python client's command line.
import { readFileSync } from "node:fs";

export const DEFAULT_SERVER = "127.0.0.1:50051";
const ON = new Set(["1", "true", "t", "yes", "y", "on"]);
const OFF = new Set(["", "0", "false", "f", "no", "n", "off"]);
// What can stand in an HTTP header.
const TOKEN = /^[\x21-\x7e]+( [\x21-\x7e]+)*$/;

/** Returns the settings of the environment; an empty variable counts as not set. */
export function settingsFromEnvironment(environment = process.env) {
  const of = (name) => environment[name] || undefined;
  return {
    server: of("BATCHPROGRESS_SERVER"),
    tls: isOn("BATCHPROGRESS_TLS", environment.BATCHPROGRESS_TLS),
    ca: of("BATCHPROGRESS_CA"),
    certificate: of("BATCHPROGRESS_CERTIFICATE"),
    key: of("BATCHPROGRESS_KEY"),
    tokenFile: of("BATCHPROGRESS_TOKEN_FILE"),
  };
}

/** Checks settings and fills in their defaults. Throws an Error that says which one to correct. */
export function checked({ server = DEFAULT_SERVER, tls = false, ca, certificate, key, token, tokenFile }) {
  if (Boolean(certificate) !== Boolean(key)) {
    throw new Error("a certificate and its key go together: give both files, or neither");
  }
  if (token !== undefined && tokenFile !== undefined) {
    throw new Error("give token or tokenFile, not both");
  }
  const address = server.replace(/^dns:\/\/\//, "");
  if (!/^(\[[0-9a-fA-F:.]+\]|[^\s:/@?#[\]]+):\d{1,5}$/.test(address)) {
    throw new Error(`the server ${JSON.stringify(server)} is not host:port, for example ${DEFAULT_SERVER}`);
  }
  const usesTls = tls || ca !== undefined || certificate !== undefined;
  return {
    address,
    baseUrl: `${usesTls ? "https" : "http"}://${address}`,
    certificates: usesTls ? () => certificatesIn({ ca, certificate, key }) : () => ({}),
    token: tokenFile === undefined ? tokenFrom(token) : () => tokenIn(tokenFile),
  };
}

function isOn(name, text = "") {
  const value = text.toLowerCase();
  if (!ON.has(value) && !OFF.has(value)) throw new Error(`${name} is ${text}: set it to true or false`);
  return ON.has(value);
}

// The files are read again for each new connection, so that certificates can be renewed.
function certificatesIn({ ca, certificate, key }) {
  const read = (file) => (file === undefined ? undefined : contentOf(file));
  return { ca: read(ca), cert: read(certificate), key: read(key) };
}

function tokenFrom(token) {
  if (token === undefined) return () => undefined;
  return typeof token === "function" ? token : () => token;
}

// Read again for each call, so that a token can be replaced.
function tokenIn(file) {
  const token = contentOf(file).toString().trim();
  if (!TOKEN.test(token)) throw new Error(`${file} holds no token`);
  return token;
}

function contentOf(file) {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new Error(`cannot read ${file}: ${error.code}`, { cause: error });
  }
}
