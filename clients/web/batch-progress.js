// <batch-progress> of Batch Progress, Apache-2.0. Made by `make web` from the files in src/.
// The words of the element; an application replaces some or all of them.

/** A word is a text, or a text for each plural category of Intl.PluralRules. {names} stand for values. */
const WORDS = {
  label: "Progress",
  connecting: "Connecting…",
  running: "Running",
  stalled: "Stalled",
  completed: "Completed",
  failures: "Completed with failures",
  cancelled: "Cancelled",
  overLimit: "Cancelled after too many failures",
  percent: "{percent} %",
  counts: { one: "{done} of {total} job", other: "{done} of {total} jobs" },
  growing: { one: "{done} of {total} job so far", other: "{done} of {total} jobs so far" },
  empty: "No jobs",
  failed: "{failed} failed",
  skipped: "{skipped} skipped",
  away: "No connection. Trying again…",
  waiting: "Waiting for access…",
  unauthenticated: "Access has expired.",
  forbidden: "No access to the batch {batch}.",
  unknown: "There is no batch {batch}.",
  excess: "At most {max} batches can be shown together.",
};
const LANGUAGE_DEFAULT = "en";

class Wording {
  /** Speak a language, with the words that replace WORDS. */
  constructor(words, language) {
    this.words = { ...WORDS, ...words };
    try {
      this.numbers = new Intl.NumberFormat(language || LANGUAGE_DEFAULT);
    } catch {
      this.numbers = new Intl.NumberFormat(LANGUAGE_DEFAULT); // `lang` may have any text
    }
    this.plurals = new Intl.PluralRules(this.numbers.resolvedOptions().locale);
  }

  /** Return a word with its values; the quantity chooses the plural. */
  say(name, values = {}, quantity = 0) {
    const word = this.words[name];
    const text = typeof word === "object" && word ? word[this.plurals.select(quantity)] ?? word.other : word;
    return String(text ?? "").replace(/\{(\w+)\}/g, (whole, key) => this.#shown(values[key] ?? whole));
  }

  #shown(value) {
    return typeof value === "number" ? this.numbers.format(value) : value;
  }
}
// Adds batches up. Pure. 64-bit numbers arrive as strings.

const ENDED = new Set(["BATCH_STATE_COMPLETED", "BATCH_STATE_CANCELLED"]);

/** Return whether a batch has ended. */
const hasEnded = (batch) => ENDED.has(batch.state);

/** Return the sums over batches; `expected` is their number, of which some may not be known yet. */
function totalsOf(batches, expected) {
  const sum = (name) => batches.reduce((all, batch) => all + Number(batch[name]), 0);
  const isWhole = batches.length > 0 && batches.length === expected;
  const isFinal = isWhole && batches.every((batch) => batch.sealed || hasEnded(batch));
  const [total, pending] = [sum("totalJobs"), sum("pendingJobs")];
  const isDone = pending === 0 && batches.every((batch) => batch.sealed);
  return {
    total,
    done: total - pending,
    succeeded: sum("succeededJobs"),
    failed: sum("failedJobs"),
    skipped: sum("skippedJobs"),
    percent: isFinal ? percentOf(total - pending, total, isDone) : null,
    state: batches.length ? stateOf(batches, isWhole) : "connecting",
  };
}

/** Return the percentage, rounded down; 100 only if everything is done. */
function percentOf(done, total, isDone) {
  if (isDone) return 100;
  return total ? Math.min(99, Math.floor((100 * done) / total)) : 0;
}

/** Return the word for the state of totals: the state, or why it is so. */
function wordOf({ state }, batches) {
  const isOverLimit = batches.some((batch) => batch.cancelReason === "CANCEL_REASON_FAILURE_LIMIT");
  return state === "cancelled" && isOverLimit ? "overLimit" : state;
}

function stateOf(batches, isWhole) {
  const running = batches.filter((batch) => !hasEnded(batch));
  if (running.length && running.every((batch) => batch.stallReason)) return "stalled";
  if (running.length || !isWhole) return "running";
  if (batches.some((batch) => batch.state === "BATCH_STATE_CANCELLED")) return "cancelled";
  return batches.some((batch) => Number(batch.failedJobs)) ? "failures" : "completed";
}
// Reads server-sent events from the body of a response.

const UNREAD_CHARACTERS_MAX = 1 << 20; // an event is a batch: some thousand characters

/** Yield the events of each part as it arrives, each as { name, id, data }; none for a heartbeat. */
async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let unread = "";
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const blocks = (unread + part.value).split(/\r?\n\r?\n/);
      unread = blocks.pop();
      if (unread.length > UNREAD_CHARACTERS_MAX) throw new RangeError("an event is too large");
      yield blocks.map(toEvent).filter((event) => event.data);
    }
  } finally {
    reader.cancel().catch(() => {}); // it may be cut already
  }
}

function toEvent(block) {
  const event = { name: "message", id: "", data: "" };
  for (const line of block.split(/\r?\n/)) {
    const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (field === "event") event.name = value;
    if (field === "id") event.id = value;
    if (field === "data") event.data += (event.data && "\n") + value;
  }
  return event;
}
// Watches one batch: streams its states, resumes after an interruption, and says why it cannot.


const SILENCE_MS_MAX = 60_000; // four heartbeats: a stream that is silent for longer is dead
const BACKOFF_MS_MIN = 2_000; // a restart takes a second or two, after which not all come back at once
const BACKOFF_MS_MAX = 30_000; // longer than this, people reload the page
const RETRY_AFTER_MS_MAX = 300_000; // a wrong header must not stop a bar for a day
const RENEWAL_MS = 30_000; // an application whose request for another token has failed is asked again
const PROBLEMS_BY_STATUS = { 401: "unauthenticated", 403: "forbidden", 404: "unknown" };
const PROBLEMS_BY_CODE = {
  invalid_argument: "unknown", // an id that no batch can have
  not_found: "unknown",
  permission_denied: "forbidden",
  unauthenticated: "unauthenticated",
};

class Watch {
  batch = null; // the newest state
  problem = ""; // the word that says why it may be out of date
  #listener;
  #address = "";
  #lastEventId = "";
  #failures = 0;
  #refusals = 0;
  #running = null;

  /** The listener has the methods changed(watch), for a new state, and troubled(watch), for a new problem. */
  constructor(batchId, listener) {
    this.batchId = batchId;
    this.#listener = listener;
  }

  get hasEnded() {
    return Boolean(this.batch) && hasEnded(this.batch);
  }

  /** Stream from a gateway with a token, unless this happens already or the batch has ended. */
  open(gateway, token) {
    if (this.hasEnded || (this.#running && this.gateway === gateway && this.token === token)) return;
    this.close();
    Object.assign(this, { gateway, token });
    this.#address = `${gateway.replace(/\/+$/, "")}/v1/batch/events?${new URLSearchParams({ batch_id: this.batchId })}`;
    this.#running = new AbortController();
    this.#stream(this.#running.signal);
  }

  /** End the stream; the state stays, and open() resumes from it. */
  close() {
    this.#running?.abort();
    this.#running = null;
  }

  async #stream(signal) {
    // An application that answers each refusal with another refused token must not do so without a pause.
    if (this.#refusals > 1) await pause(backoff(this.#refusals), signal);
    while (!signal.aborted) {
      const outcome = await this.#attempt(signal);
      if (signal.aborted || this.hasEnded) return;
      if (outcome.problem) this.#report(outcome.problem);
      if (outcome.problem === "unauthenticated") this.#refusals += 1;
      if (outcome.isFinal) return this.#askAgain(outcome.problem, signal);
      this.#failures = outcome.problem ? this.#failures + 1 : 0;
      await pause((outcome.retryAfterMs ?? 0) + backoff(this.#failures), signal);
    }
  }

  /** Read a stream to its end; return why it ended. A stream that was merely cut has no problem: the next may open. */
  async #attempt(signal) {
    const silence = new Silence(signal);
    let outcome = { problem: "away" };
    try {
      const response = await fetch(this.#address, { ...this.#request(), signal: silence.signal });
      if (!isStream(response)) return await answerOf(response);
      let isFirst = true;
      for await (const events of eventsOf(response.body)) {
        if (signal.aborted) break;
        silence.restart();
        if (isFirst) outcome = { problem: "" };
        isFirst = false;
        for (const event of events) outcome = this.#take(event) ?? outcome;
        if (outcome.isFinal || this.hasEnded) break;
        this.#report(outcome.problem);
      }
    } catch {
      // No connection, a cut one, or an answer of something else than the gateway.
    } finally {
      silence.end();
    }
    return outcome;
  }

  async #askAgain(problem, signal) {
    while (problem === "unauthenticated" && !signal.aborted) {
      await pause(RENEWAL_MS, signal);
      if (!signal.aborted) this.#report(problem);
    }
  }

  #request() {
    const headers = { accept: "text/event-stream" };
    if (this.token) headers.authorization = `Bearer ${this.token}`;
    if (this.#lastEventId) headers["last-event-id"] = this.#lastEventId;
    return { headers, cache: "no-store", redirect: "error" }; // the token goes nowhere else
  }

  /** Take an event; return what it says about the stream, if anything. */
  #take({ name, id, data }) {
    if (name === "problem") return { problem: "away" };
    if (name === "refused") return this.#refused(refusalOf(JSON.parse(data)));
    if (name !== "batch") return null;
    this.batch = JSON.parse(data);
    this.#lastEventId = id;
    this.#refusals = 0;
    this.problem = "";
    this.#listener.changed(this);
    return { problem: "" };
  }

  /** Return what the end of a stream means. A batch that is gone may be replaced by another one of its id. */
  #refused(refusal) {
    if (refusal.problem !== "unknown") return refusal;
    this.#lastEventId = "";
    return { problem: "" };
  }

  #report(problem) {
    if (problem === this.problem && problem !== "unauthenticated") return;
    this.problem = problem;
    this.#listener.troubled(this);
  }
}

/** Aborts a request on which nothing was heard for too long, or whose owner gives it up. */
class Silence {
  #controller = new AbortController();
  #timer;

  constructor(signal) {
    this.signal = AbortSignal.any([signal, this.#controller.signal]);
    this.restart();
  }

  restart() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#controller.abort(), SILENCE_MS_MAX);
  }

  end() {
    clearTimeout(this.#timer);
    this.#controller.abort();
  }
}

const isStream = (response) =>
  response.status === 200 && (response.headers.get("content-type") ?? "").startsWith("text/event-stream");

/** Return what an answer without a stream means. */
async function answerOf(response) {
  const refusal = refusalOf(await response.json().catch(() => null));
  if (!refusal.isFinal) refusal.problem = PROBLEMS_BY_STATUS[response.status] ?? "away"; // of a proxy: it may pass
  return { ...refusal, retryAfterMs: retryAfterMs(response.headers.get("retry-after")) };
}

/** Return what the body of an error of the gateway means. */
function refusalOf(body) {
  const problem = PROBLEMS_BY_CODE[body?.code];
  return { problem: problem ?? "away", isFinal: Boolean(problem) };
}

/** Return the time that Retry-After asks for, in seconds or until a date. */
function retryAfterMs(value) {
  const ms = /^\d+$/.test(value ?? "") ? 1000 * Number(value) : Date.parse(value ?? "") - Date.now();
  return Math.min(Math.max(ms || 0, 0), RETRY_AFTER_MS_MAX);
}

const backoff = (failures) => Math.random() * Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** Math.max(0, failures - 1));

function pause(ms, signal) {
  return new Promise((resume) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end); // a page may be open for days
      resume();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}
// Knows when a token will expire.

const LEAD_MS_MAX = 60_000; // time enough for an application to fetch another token
const LEAD_SHARE = 0.2; // of the time that is left, for tokens that are valid for seconds
const TIMER_MS_MAX = 2 ** 31 - 1; // setTimeout calls at once beyond this

/** Return when a token expires as a Date; null if it is not a signed token that says so. */
function expiryOf(token) {
  try {
    const { exp } = JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    return Number.isFinite(exp) ? new Date(1000 * exp) : null;
  } catch {
    return null;
  }
}

/** Call a function some time before a token expires; return a function that prevents this. */
function beforeExpiry(token, call) {
  const left = (expiryOf(token)?.getTime() ?? NaN) - Date.now();
  const delay = left - Math.min(LEAD_MS_MAX, LEAD_SHARE * left);
  // A token that seems to have expired may be valid, if this clock is fast: the gateway will refuse it if not.
  if (!(left > 0 && delay <= TIMER_MS_MAX)) return () => {};
  const timer = setTimeout(call, delay);
  return () => clearTimeout(timer);
}
// How the element looks. Pages change it with custom properties and parts.

const STYLES = `
:host {
  display: block;
  line-height: 1.5;
  font-variant-numeric: tabular-nums;
}
:host([hidden]) {
  display: none;
}
/* As high as its text will be, so that the page does not move when it comes. */
.head,
.facts {
  display: flex;
  flex-wrap: wrap;
  gap: 0 0.75em;
  min-height: 1lh;
}
.head {
  justify-content: space-between;
}
.facts {
  font-size: 0.875em;
  color: var(--batch-progress-muted, color-mix(in srgb, currentColor 72%, transparent));
}
.facts > :empty {
  display: none;
}
.name {
  min-width: 0;
  overflow-wrap: anywhere;
  unicode-bidi: isolate;
}
.percent,
.state {
  font-weight: 600;
}
.failed-jobs {
  color: var(--batch-progress-failed-text, light-dark(#b3232f, #ff8b92));
}
.problem {
  overflow-wrap: anywhere;
  color: var(--batch-progress-problem-text, light-dark(#855400, #f3c566));
}
.bar {
  display: flex;
  height: var(--batch-progress-height, 0.5em);
  margin-block: 0.25em;
  border-radius: var(--batch-progress-radius, 99px);
  background: var(--batch-progress-track, light-dark(#e4e7ed, #2a303c));
  overflow: hidden;
}
.share {
  flex: none;
  width: 0;
  transition: width 0.9s cubic-bezier(0.25, 0.6, 0.35, 1);
}
.succeeded {
  background: var(--batch-progress-running, light-dark(#3558d4, #8fabff));
}
.bar[data-state="completed"] .succeeded,
.bar[data-state="failures"] .succeeded {
  background: var(--batch-progress-succeeded, light-dark(#2f9d74, #38b083));
}
.bar[data-state="stalled"] .succeeded {
  background: var(--batch-progress-stalled, light-dark(#d9930d, #e3a52f));
}
.bar[data-state="cancelled"] .succeeded {
  background: var(--batch-progress-skipped, light-dark(#8d97a8, #6d7789));
}
/* Striped, for people who cannot distinguish the colours. */
.failed {
  background: repeating-linear-gradient(-45deg,
    var(--batch-progress-failed, light-dark(#d64550, #f0616b)) 0 3px,
    var(--batch-progress-failed-text, light-dark(#b3232f, #ff8b92)) 3px 5px);
}
.skipped {
  background: repeating-linear-gradient(90deg,
    var(--batch-progress-skipped, light-dark(#8d97a8, #6d7789)) 0 2px, transparent 2px 4px);
}
.moving {
  display: none;
  width: 40%;
  border-radius: inherit;
  background: var(--batch-progress-running, light-dark(#3558d4, #8fabff));
  animation: move 1.6s ease-in-out infinite alternate;
}
.bar.indeterminate .moving {
  display: block;
}
.bar.indeterminate[data-state="stalled"] .moving,
.bar.indeterminate[data-state="connecting"] .moving {
  background: var(--batch-progress-skipped, light-dark(#8d97a8, #6d7789));
}
.bar.indeterminate.troubled .moving,
.bar.indeterminate .share {
  display: none;
}
@keyframes move {
  to {
    transform: translateX(150%);
  }
}
.news {
  position: absolute;
  width: 1px;
  height: 1px;
  margin: 0;
  overflow: hidden;
  clip-path: inset(50%);
  white-space: nowrap;
}
@media (prefers-reduced-motion: reduce) {
  .share {
    transition: none;
  }
  .moving {
    width: 100%;
    border-radius: 0;
    background: repeating-linear-gradient(-45deg,
      var(--batch-progress-running, light-dark(#3558d4, #8fabff)) 0 4px, transparent 4px 12px) !important;
    animation: none;
  }
}
@media (forced-colors: active) {
  .bar {
    border: 1px solid CanvasText;
  }
  .share,
  .moving {
    forced-color-adjust: none;
    background: Highlight;
  }
  .failed {
    background: repeating-linear-gradient(-45deg, CanvasText 0 3px, Canvas 3px 5px);
  }
  .skipped {
    background: repeating-linear-gradient(90deg, GrayText 0 2px, Canvas 2px 4px);
  }
}
`;
// What is in the element. Text from outside becomes text nodes, never markup.


const OUTCOMES = ["succeeded", "failed", "skipped"];
const NEWS_STEP_PERCENT = 25; // a screen reader tells each quarter, and each change of the state
const NEWS_MS_MIN = 5_000; // and nothing twice within this time
let sheet = null;

class View {
  #newsKey = "";
  #newsTimer = null;
  #toldMs = -Infinity;

  constructor(root) {
    root.adoptedStyleSheets = [(sheet ??= styleSheet())];
    this.slot = document.createElement("slot");
    this.slot.name = "name";
    this.percent = part("percent");
    this.bar = part("bar", { role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 });
    this.shares = OUTCOMES.map((outcome) => part(outcome));
    for (const share of this.shares) share.classList.add("share");
    this.bar.append(...this.shares, part("moving"));
    this.facts = ["state", "counts", "failed-jobs", "skipped-jobs", "problem"].map((name) => part(name));
    this.news = part("news", { role: "status" });
    this.news.removeAttribute("part");
    const name = part("name");
    name.append(this.slot);
    const [head, facts] = [part("head"), part("facts")];
    head.append(name, this.percent);
    facts.append(...this.facts);
    root.append(head, this.bar, facts, this.news);
  }

  /** Show totals, and the texts of their state, name and problem. */
  show(totals, { state: word, name, problem }, wording) {
    const isKnown = totals.state !== "connecting";
    const percent = totals.percent === null ? "" : wording.say("percent", { percent: totals.percent });
    const counts = isKnown ? countsOf(totals, wording) : [];
    const state = isKnown || !problem ? word : "";
    setText(this.slot, name); // shown if the page gives no name
    setText(this.percent, percent);
    [state, counts[0], counts[1], counts[2], problem].forEach((text, index) => setText(this.facts[index], text ?? ""));
    const spoken = [percent, ...counts].filter(Boolean).join(", ") || problem || state;
    this.#showBar(totals, spoken, problem, wording);
    const step = Math.floor((totals.percent ?? 0) / NEWS_STEP_PERCENT);
    const news = [[state, percent, ...counts].filter(Boolean).join(", "), problem].filter(Boolean).join(". ");
    if (isKnown || problem) this.#tell(`${totals.state} ${step} ${problem}`, news);
  }

  /** Tell nothing any more. */
  close() {
    clearTimeout(this.#newsTimer);
    this.#newsTimer = null;
    this.#newsKey = "";
  }

  #showBar(totals, spoken, problem, wording) {
    const { bar } = this;
    const all = totals.total || 1;
    OUTCOMES.forEach((outcome, index) => {
      const empty = outcome === "succeeded" ? (totals.percent ?? 0) : 0; // a batch without jobs
      this.shares[index].style.width = `${totals.total ? (100 * totals[outcome]) / all : empty}%`;
    });
    bar.dataset.state = totals.state;
    bar.classList.toggle("indeterminate", totals.percent === null);
    bar.classList.toggle("troubled", Boolean(problem));
    if (totals.percent === null) bar.removeAttribute("aria-valuenow");
    else setAttribute(bar, "aria-valuenow", totals.percent);
    setAttribute(bar, "aria-valuetext", spoken);
    const given = this.slot.assignedNodes({ flatten: true }).map((node) => node.textContent).join(" ");
    setAttribute(bar, "aria-label", given.trim() || wording.say("label"));
  }

  /** Tell screen readers the news, if its key is new; the newest one after a pause, if others came before. */
  #tell(key, text) {
    if (key === this.#newsKey) return;
    this.#newsKey = key;
    clearTimeout(this.#newsTimer);
    const wait = Math.max(0, this.#toldMs + NEWS_MS_MIN - performance.now());
    this.#newsTimer = setTimeout(() => {
      this.#toldMs = performance.now();
      setText(this.news, text);
    }, wait);
  }
}

/** Return "520 of 1,037 jobs", and the failed and skipped jobs if there are any. */
function countsOf(totals, wording) {
  const { total, failed, skipped } = totals;
  const counts = total ? wording.say(totals.percent === null ? "growing" : "counts", totals, total) : wording.say("empty");
  return [
    counts,
    failed ? wording.say("failed", totals, failed) : "",
    skipped ? wording.say("skipped", totals, skipped) : "",
  ];
}

function styleSheet() {
  const made = new CSSStyleSheet(); // works under a content security policy without 'unsafe-inline'
  made.replaceSync(STYLES);
  return made;
}

function part(name, attributes = {}) {
  const node = document.createElement("div");
  node.className = name;
  node.setAttribute("part", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}
// The element: attributes, properties, events, and when its streams are open.


const BATCHES_MAX = 16; // each has a stream; with HTTP/1.1 a browser opens only six connections to a server
const PROPERTIES = ["src", "token", "batchId", "words"];

/** The element <batch-progress>. Without a DOM, as on a server that renders pages, it can be imported only. */
export class BatchProgressElement extends (globalThis.HTMLElement ?? class {}) {
  static observedAttributes = ["src", "token", "batch-id", "words"];
  #view = new View(this.attachShadow({ mode: "open" }));
  #states = this.attachInternals().states;
  #watches = new Map();
  #renewals = new Map();
  #token = "";
  #words = {};
  #isPlanned = false;
  #follow = () => this.#plan();

  connectedCallback() {
    for (const name of PROPERTIES) this.#upgrade(name);
    document.addEventListener("visibilitychange", this.#follow);
    this.#plan();
  }

  disconnectedCallback() {
    document.removeEventListener("visibilitychange", this.#follow);
    this.#plan();
  }

  attributeChangedCallback(name, _before, value) {
    if (name === "token") this.#token = value ?? "";
    if (name === "words") this.#words = parsed(value);
    this.#plan();
  }

  get src() {
    return this.getAttribute("src") ?? "";
  }

  set src(value) {
    reflect(this, "src", value);
  }

  get batchId() {
    return this.getAttribute("batch-id") ?? "";
  }

  set batchId(value) {
    reflect(this, "batch-id", Array.isArray(value) ? value.join(" ") : value);
  }

  get token() {
    return this.#token;
  }

  /** Not reflected, since tools that record a page record its attributes. */
  set token(value) {
    this.#token = value ?? "";
    this.#plan();
  }

  get words() {
    return this.#words;
  }

  set words(value) {
    this.#words = value ?? {};
    this.#plan();
  }

  /** The newest state of each batch that is known, in the order of batch-id. */
  get batches() {
    return [...this.#watches.values()].map((watch) => watch.batch).filter(Boolean);
  }

  /** The sums over all batches. */
  get totals() {
    return totalsOf(this.batches, this.#watches.size);
  }

  /** Take a property that was set before the element was defined, which would hide the one of the class. */
  #upgrade(name) {
    if (!Object.hasOwn(this, name)) return;
    const value = this[name];
    delete this[name];
    this[name] = value;
  }

  /** Apply changes together: frameworks set one attribute after the other, and move elements. */
  #plan() {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    queueMicrotask(() => {
      this.#isPlanned = false;
      this.#apply();
    });
  }

  #apply() {
    const ids = [...new Set(listed(this.batchId))];
    const isSame = [...this.#watches.values()].every((watch) => !watch.gateway || watch.gateway === this.src);
    const kept = isSame ? this.#watches : new Map();
    const watches = new Map(ids.map((id) => [id, kept.get(id) ?? new Watch(id, this.#listener)]));
    for (const [id, watch] of this.#watches) if (watches.get(id) !== watch) this.#close(watch);
    this.#watches = watches;
    const isOpen = this.isConnected && !document.hidden && ids.length <= BATCHES_MAX;
    const tokens = listed(this.#token);
    ids.forEach((id, index) => {
      const watch = watches.get(id);
      if (isOpen && !watch.hasEnded) this.#open(watch, tokens[tokens.length > 1 ? index : 0] ?? "");
      else this.#close(watch);
    });
    if (this.isConnected) this.#show();
    else this.#view.close();
  }

  #open(watch, token) {
    if (watch.token !== token || !this.#renewals.has(watch)) {
      this.#renewals.get(watch)?.();
      this.#renewals.set(watch, beforeExpiry(token, () => this.#sayExpiring(watch, false)));
    }
    watch.open(this.src, token);
  }

  #close(watch) {
    this.#renewals.get(watch)?.();
    this.#renewals.delete(watch);
    watch.close();
  }

  #listener = {
    changed: (watch) => {
      this.#show();
      const detail = { batch: watch.batch, batches: this.batches, totals: this.totals };
      this.#say("progress", detail);
      if (!watch.hasEnded) return;
      this.#close(watch);
      const isLast = [...this.#watches.values()].every((one) => one.hasEnded);
      this.#say("ended", { ...detail, isLast });
    },
    troubled: (watch) => {
      this.#show();
      if (watch.problem === "unauthenticated") this.#sayExpiring(watch, true);
    },
  };

  #sayExpiring(watch, isRefused) {
    this.#say("token-expiring", { batchId: watch.batchId, expireTime: expiryOf(watch.token), isRefused });
  }

  #say(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  #show() {
    const watches = [...this.#watches.values()];
    const wording = new Wording(this.#words, (this.closest("[lang]") ?? document.documentElement).lang);
    const totals = this.totals;
    const troubled = watches.find((watch) => watch.problem && !watch.hasEnded);
    let problem = troubled ? wording.say(problemOf(troubled), { batch: troubled.batchId }) : "";
    if (watches.length > BATCHES_MAX) problem = wording.say("excess", { max: BATCHES_MAX });
    const [only] = watches.length === 1 ? this.batches : [];
    const texts = { state: wording.say(wordOf(totals, this.batches)), name: only?.displayName?.trim() ?? "", problem };
    this.#view.show(totals, texts, wording);
    this.#states.clear();
    this.#states.add(totals.state);
    if (problem) this.#states.add("troubled");
  }
}

/** Return the word for the problem of a watch; without a token, no access has expired. */
const problemOf = ({ problem, token }) => (problem === "unauthenticated" && !token ? "waiting" : problem);

const listed = (text) => text.split(/\s+/).filter(Boolean);

function reflect(element, name, value) {
  if (value === null || value === undefined) element.removeAttribute(name);
  else element.setAttribute(name, value);
}

function parsed(json) {
  try {
    return JSON.parse(json) ?? {};
  } catch {
    console.warn("batch-progress: the attribute words is not JSON");
    return {};
  }
}

if (globalThis.customElements && !customElements.get("batch-progress")) {
  customElements.define("batch-progress", BatchProgressElement);
}

export { WORDS };
