// What is in the element. Text from outside becomes text nodes, never markup.

import { STYLES } from "./styles.js";

const OUTCOMES = ["succeeded", "failed", "skipped"];
const NEWS_STEP_PERCENT = 25; // a screen reader tells each quarter, and each change of the state
const NEWS_MS_MIN = 5_000; // and nothing twice within this time
let sheet = null;

export class View {
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
