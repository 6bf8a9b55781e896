// The words of the element; an application replaces some or all of them.

/** A word is a text, or a text for each plural category of Intl.PluralRules. {names} stand for values. */
export const WORDS = {
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

export class Wording {
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
