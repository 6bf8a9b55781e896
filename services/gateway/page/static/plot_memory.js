// Keeps the points of the plot in the tab, so that a reloaded page still shows them.

const keyOf = (batch) => `points ${batch.batchId} ${batch.createTime}`;

/** Return the points that were kept; none if there are none, or the browser keeps nothing. */
export function recall(batch) {
  try {
    return JSON.parse(sessionStorage.getItem(keyOf(batch))) ?? [];
  } catch {
    return [];
  }
}

/** Keep the points. */
export function remember(batch, points) {
  try {
    sessionStorage.setItem(keyOf(batch), JSON.stringify(points));
  } catch {
    // The browser keeps nothing, or no more than it has.
  }
}
