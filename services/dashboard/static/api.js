// Asking the dashboard, and saying whether it answers.

import { byId, setAttribute, setText } from "./dom.js";

/** An answer that is an error; its message is for people. */
export class Refusal extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** Return the answer to a question; throws a Refusal, or an AbortError once the signal has come. */
export async function ask(path, query, signal) {
  try {
    const response = await fetch(`${path}?${query}`, { signal, headers: { Accept: "application/json" } });
    if (response.ok) return await response.json();
    const { message } = await response.json().catch(() => ({}));
    throw new Refusal(message ?? "The dashboard has failed.", response.status);
  } catch (error) {
    // Whatever else fails does so on the way: no connection, or half an answer.
    if (error instanceof Refusal || error.name === "AbortError") throw error;
    throw new Refusal("The dashboard does not answer.", 0);
  }
}

/** Say that what is shown is what is; or, with a problem, why it may be out of date. */
export function sayConnected(problem = "") {
  const place = byId("connection");
  setAttribute(place, "data-kind", problem ? "away" : "live");
  setText(place, problem ? `${problem} Trying again…` : "Live");
}

/** Say that nothing more will come. */
export function sayEnded(text) {
  setAttribute(byId("connection"), "data-kind", "ended");
  setText(byId("connection"), text);
}
