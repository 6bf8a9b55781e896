// Knows when a token will expire.

const LEAD_MS_MAX = 60_000; // time enough for an application to fetch another token
const LEAD_SHARE = 0.2; // of the time that is left, for tokens that are valid for seconds
const TIMER_MS_MAX = 2 ** 31 - 1; // setTimeout calls at once beyond this

/** Return when a token expires as a Date; null if it is not a signed token that says so. */
export function expiryOf(token) {
  try {
    const { exp } = JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    return Number.isFinite(exp) ? new Date(1000 * exp) : null;
  } catch {
    return null;
  }
}

/** Call a function some time before a token expires; return a function that prevents this. */
export function beforeExpiry(token, call) {
  const left = (expiryOf(token)?.getTime() ?? NaN) - Date.now();
  const delay = left - Math.min(LEAD_MS_MAX, LEAD_SHARE * left);
  // A token that seems to have expired may be valid, if this clock is fast: the gateway will refuse it if not.
  if (!(left > 0 && delay <= TIMER_MS_MAX)) return () => {};
  const timer = setTimeout(call, delay);
  return () => clearTimeout(timer);
}
