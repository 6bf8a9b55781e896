// One HTTP/2 connection to the server, which opens again by itself.
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { ProgressService } from "./generated/batchprogress/v1/progress_pb.js";

// The server allows one ping every 5 s; a busy proxy answers a ping after seconds. Not `pingIdleConnection`: Connect
// 2.1 then pings connections that are gone, too, which throws where nobody can catch it. A connection that was idle is
// tested before its next call anyway.
const KEEPALIVE = { pingIntervalMs: 10_000, pingTimeoutMs: 10_000 };

// Connect 2.1 stops listening to a connection that it gives up. The late error of a frozen server would end the process.
class Sessions extends Http2SessionManager {
  setState(state) {
    if (state.t === "ready") state.conn.on("error", () => {});
    super.setState(state);
  }
}

/** The calls of ProgressService on a connection of their own. */
export class Connection {
  #settings;
  #sessions;
  #certificates;

  constructor(settings) {
    this.#settings = settings;
    this.#certificates = settings.certificates(); // a missing file is reported before anything is sent
    this.#open();
  }

  get address() {
    return this.#settings.address;
  }

  /**
   * Leaves a connection that may be dead: the next call opens another one, with the files as they are now.
   *
   * `used` is the `progress` of the call that failed: another call may have renewed the connection meanwhile.
   */
  renew(used) {
    if (used !== this.progress) return;
    this.close();
    this.#open();
  }

  /** Ends the connection with its calls. */
  close() {
    this.#sessions.abort();
  }

  #open() {
    const { baseUrl, certificates, token } = this.#settings;
    try {
      this.#certificates = certificates();
    } catch {
      // A file is being replaced: those read before may still do.
    }
    this.#sessions = new Sessions(baseUrl, KEEPALIVE, this.#certificates);
    const authorized = (next) => async (request) => {
      const current = await token();
      if (current) request.header.set("authorization", `Bearer ${current}`);
      return next(request);
    };
    const transport = createGrpcTransport({ baseUrl, sessionManager: this.#sessions, interceptors: [authorized] });
    this.progress = createClient(ProgressService, transport);
  }
}
