/** Where a batch is. A newer server may have further states. */
export type BatchState = "BATCH_STATE_PROCESSING" | "BATCH_STATE_COMPLETED" | "BATCH_STATE_CANCELLED" | (string & {});

/** Why a batch is cancelled. A newer server may have further reasons. */
export type CancelReason =
  | "CANCEL_REASON_UNSPECIFIED"
  | "CANCEL_REASON_REQUESTED"
  | "CANCEL_REASON_QUEUE"
  | "CANCEL_REASON_FAILURE_LIMIT"
  | (string & {});

/** A batch as ProtoJSON: numbers of 64 bits are strings, times are RFC 3339. A newer server may add fields. */
export interface Batch {
  batchId: string;
  displayName: string;
  labels: Record<string, string>;
  state: BatchState;
  /** Whether totalJobs is final. */
  sealed: boolean;
  totalJobs: string;
  succeededJobs: string;
  failedJobs: string;
  skippedJobs: string;
  pendingJobs: string;
  /** Rounded down; 100 only if no job is pending and the batch is sealed. */
  percentComplete: number;
  /** Rises with each change of the batch. */
  revision: string;
  createTime: string;
  lastResultTime?: string;
  completeTime?: string;
  jobsPerSecond: number;
  estimatedCompleteTime?: string;
  /** Why no results arrive; empty if they do. */
  stallReason: string;
  reconciledJobs: string;
  cancelReason: CancelReason;
  /** How many jobs may fail, or what share of them in percent; not set if any number may. */
  failureLimit?: { jobs: string } | { percent: number };
  /** How long jobsPerSecond holds if no result arrives, such as "12.5s". */
  paceHoldsFor?: string;
}

/** What the bar shows: the sums over all its batches. */
export interface Totals {
  total: number;
  /** Jobs that have a result: succeeded, failed and skipped ones. */
  done: number;
  succeeded: number;
  failed: number;
  skipped: number;
  /** Rounded down; null while jobs may be added, or while a batch is not known yet. */
  percent: number | null;
  state: "connecting" | "running" | "stalled" | "completed" | "failures" | "cancelled";
}

/** A batch has changed. */
export interface ProgressDetail {
  batch: Batch;
  /** The newest state of each batch that is known, in the order of batch-id. */
  batches: Batch[];
  totals: Totals;
}

/** A batch has ended. */
export interface EndedDetail extends ProgressDetail {
  /** Whether all batches of the element have ended. */
  isLast: boolean;
}

/** The token of a batch should be replaced. */
export interface TokenExpiringDetail {
  batchId: string;
  /** When the token expires, if it says so. */
  expireTime: Date | null;
  /** Whether the gateway has refused it, or that there was none. Otherwise the stream goes on. */
  isRefused: boolean;
}

export interface BatchProgressEventMap {
  progress: CustomEvent<ProgressDetail>;
  ended: CustomEvent<EndedDetail>;
  "token-expiring": CustomEvent<TokenExpiringDetail>;
}

/** A text, or a text for each plural category of Intl.PluralRules. {names} in it stand for values. */
export type Word = string | ({ other: string } & Partial<Record<Intl.LDMLPluralRule, string>>);

export interface Words {
  /** The bar's name for screen readers, if the page and the batch have none. */
  label: Word;
  connecting: Word;
  running: Word;
  stalled: Word;
  completed: Word;
  failures: Word;
  cancelled: Word;
  /** Cancelled because more jobs failed than may. */
  overLimit: Word;
  /** {percent} */
  percent: Word;
  /** {done}, {total} */
  counts: Word;
  /** The counts while jobs may be added: {done}, {total} */
  growing: Word;
  empty: Word;
  /** {failed} */
  failed: Word;
  /** {skipped} */
  skipped: Word;
  away: Word;
  /** Without a token: {batch}, as in the three below */
  waiting: Word;
  unauthenticated: Word;
  forbidden: Word;
  unknown: Word;
  /** {max} */
  excess: Word;
}

/** The words of the element in English. */
export const WORDS: Words;

/** What an application sets. */
export interface BatchProgressProperties {
  src?: string;
  batchId?: string | readonly string[] | null;
  token?: string | null;
  words?: Partial<Words> | null;
  onprogress?: (event: CustomEvent<ProgressDetail>) => unknown;
  onended?: (event: CustomEvent<EndedDetail>) => unknown;
  "ontoken-expiring"?: (event: CustomEvent<TokenExpiringDetail>) => unknown;
}

type Listener<K extends keyof BatchProgressEventMap> =
  | ((this: BatchProgressElement, event: BatchProgressEventMap[K]) => unknown)
  | { handleEvent(event: BatchProgressEventMap[K]): unknown }
  | null;

/** The element <batch-progress>. */
export class BatchProgressElement extends HTMLElement {
  /** The gateway's base URL, with or without a path. Default: the page's own origin. */
  src: string;
  /** The ids of the batches, separated by spaces. An array can be set, too. */
  get batchId(): string;
  set batchId(ids: string | readonly string[] | null | undefined);
  /** A token for all batches, or one for each in the order of batch-id, separated by spaces. */
  get token(): string;
  set token(tokens: string | null | undefined);
  /** The words that replace those of WORDS. */
  get words(): Partial<Words>;
  set words(words: Partial<Words> | null | undefined);
  /** The newest state of each batch that is known, in the order of batch-id. */
  readonly batches: Batch[];
  /** What the bar shows. */
  readonly totals: Totals;

  addEventListener<K extends keyof BatchProgressEventMap>(
    type: K,
    listener: Listener<K>,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener<K extends Exclude<keyof HTMLElementEventMap, keyof BatchProgressEventMap>>(
    type: K,
    listener: (this: BatchProgressElement, event: HTMLElementEventMap[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<K extends keyof BatchProgressEventMap>(
    type: K,
    listener: Listener<K>,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener<K extends Exclude<keyof HTMLElementEventMap, keyof BatchProgressEventMap>>(
    type: K,
    listener: (this: BatchProgressElement, event: HTMLElementEventMap[K]) => unknown,
    options?: boolean | EventListenerOptions,
  ): void;
}

declare global {
  interface HTMLElementTagNameMap {
    "batch-progress": BatchProgressElement;
  }
}
