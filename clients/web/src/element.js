// The element: attributes, properties, events, and when its streams are open.

import { beforeExpiry, expiryOf } from "./token.js";
import { totalsOf, wordOf } from "./totals.js";
import { View } from "./view.js";
import { Watch } from "./watch.js";
import { WORDS, Wording } from "./words.js";

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
