// Requests to the dashboard, and the line that says whether it answers.

import { byId, setAttribute, setText } from "./dom.js";

/** An error answer; its message is shown to people. */
export class Refusal extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** Return the JSON answer to a GET request; throws a Refusal, or an AbortError after the signal. */
export async function ask(path, query, signal) {
  try {
    const response = await fetch(`${path}?${query}`, { signal, headers: { Accept: "application/json" } });
    if (response.ok) return await response.json();
    const { message } = await response.json().catch(() => ({}));
    throw new Refusal(message ?? "The dashboard failed.", response.status);
  } catch (error) {
    // All other errors are network errors: no connection, or an incomplete answer.
    if (error instanceof Refusal || error.name === "AbortError") throw error;
    throw new Refusal("The dashboard does not answer.", 0);
  }
}

/** Show that the page is live or, given a problem, why it may be out of date. */
export function sayConnected(problem = "") {
  const place = byId("connection");
  setAttribute(place, "data-kind", problem ? "away" : "live");
  setText(place, problem ? `${problem} Trying again…` : "Live");
}

/** Show that no more changes will come. */
export function sayEnded(text) {
  setAttribute(byId("connection"), "data-kind", "ended");
  setText(byId("connection"), text);
}
