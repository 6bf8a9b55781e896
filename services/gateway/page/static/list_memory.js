// Keeps the filters of the list in the tab, so that the page of a batch links back to the same list.

const KEY = "list";

/** Keep the address of the list. */
export function rememberList(address) {
  try {
    sessionStorage.setItem(KEY, address);
  } catch {
    // The browser keeps nothing: the link leads to all batches.
  }
}

/** Return the address of the list that was shown last. */
export function recallList() {
  try {
    const address = sessionStorage.getItem(KEY) ?? "";
    return address.startsWith("./") ? address : "./";
  } catch {
    return "./";
  }
}
