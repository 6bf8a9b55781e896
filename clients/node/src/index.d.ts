import type { Client as ConnectClient, Code } from "@connectrpc/connect";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Batch, ProgressService, ReportedResult } from "./generated/batchprogress/v1/progress_pb.js";

export { BatchState, Disposition, JobOutcome } from "./generated/batchprogress/v1/progress_pb.js";
export type { Batch, ReportedResult } from "./generated/batchprogress/v1/progress_pb.js";

export interface Settings {
  /** host:port. Default: 127.0.0.1:50051. */
  server?: string;
  /** Use TLS with the system's CA certificates. */
  tls?: boolean;
  /** Use TLS with the CA certificates in this PEM file, which is read again for each new connection. */
  ca?: string;
  /** The PEM file with the client's own certificate, read again for each new connection. */
  certificate?: string;
  /** The PEM file with the key of that certificate. */
  key?: string;
  /** A bearer token, or a function that returns the current one and is asked before each call. */
  token?: string | (() => string | Promise<string>);
  /** The file with a bearer token, read again for each call. */
  tokenFile?: string;
}

type Progress = ConnectClient<typeof ProgressService>;
type UnaryMethod = Exclude<keyof Progress, "watchBatch">;

/** Calls, reporters and watches of one server. It connects with the first call. */
export class Client {
  constructor(settings?: Settings);

  /** Reads BATCHPROGRESS_SERVER, _TLS, _CA, _CERTIFICATE, _KEY and _TOKEN_FILE. */
  static fromEnvironment(environment?: Record<string, string | undefined>): Client;

  /**
   * Calls a method of ProgressService; tries again for up to `timeoutMs` (default 10,000) while the server does not
   * answer. Rejects with CallFailed.
   */
  call<Method extends UnaryMethod>(
    method: Method,
    request: MessageInitShape<(typeof ProgressService)["method"][Method]["input"]>,
    options?: { timeoutMs?: number },
  ): ReturnType<Progress[Method]>;

  reporter(batchId: string, options?: ReporterOptions): Reporter;

  /** Yields each new state of a batch until it has ended. Throws CallFailed if the server refuses the watch. */
  watch(batchId: string, options?: WatchOptions): AsyncGenerator<Batch, void>;

  /** Ends the connection of `call`; reporters and watches have their own. */
  close(): void;
}

export interface ReporterOptions {
  /** Is given one sentence for each problem. Default: console.warn. */
  log?: (sentence: string) => void;
  /** Flush for up to 10 s when the process ends by itself, or by SIGTERM or SIGINT. Default: true. */
  closesAtExit?: boolean;
}

export interface ReportOptions {
  /** The number of this attempt of the job, from 1. Default: 1. */
  attempt?: number;
  /** What the job does, for people. */
  displayName?: string;
  /** Default: the batch of the reporter. */
  batchId?: string;
}

/** Reports how jobs end, in the background, until the server answers. */
export interface Reporter {
  /** The number of reports without an answer. */
  readonly unanswered: number;

  /** Resolves with the server's answer and is never rejected: `error` says why a report was not counted. */
  succeeded(jobId: string, options?: ReportOptions): Promise<ReportedResult>;
  failed(jobId: string, error: unknown, options?: ReportOptions & { errorType?: string }): Promise<ReportedResult>;
  skipped(jobId: string, options?: ReportOptions): Promise<ReportedResult>;

  /** Waits until every report is answered; returns whether that happened within `timeoutMs` (default 10,000). */
  flush(timeoutMs?: number): Promise<boolean>;

  /** Flushes and ends; returns the number of reports that are left to the reconciler. */
  close(timeoutMs?: number): Promise<number>;

  [Symbol.asyncDispose](): Promise<void>;
}

export interface WatchOptions {
  /** The least time between two states; the end comes at once. Default: 0. */
  minIntervalMs?: number;
  /** Ends the watch. */
  signal?: AbortSignal;
  /** Is told why a stream has ended, before the next one is opened. */
  onWaiting?: (failure: { code: Code; message: string }) => void;
}

/** A call that the server has refused, or has not answered in time. */
export class CallFailed extends Error {
  readonly code?: Code;
  /** The server's reason, for example BATCH_NOT_FOUND; empty if it has not answered. */
  readonly reason: string;
}
