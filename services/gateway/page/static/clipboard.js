// Copies text. Browsers give pages the clipboard over HTTPS and on this machine only.

import { element, setText } from "./dom.js";

const SAID_MS = 2000;

/** Copy a text, and say so on the button for a moment. */
export async function copyText(text, button) {
  const before = (button.dataset.text ??= button.textContent);
  try {
    if (navigator.clipboard) await navigator.clipboard.writeText(text);
    else copyBySelection(text, button);
    setText(button, "Copied");
  } catch {
    setText(button, "Not copied: select the text");
  }
  setTimeout(() => setText(button, before), SAID_MS);
}

/** Copy what a hidden field has selected: the way that works over plain HTTP, too. */
function copyBySelection(text, button) {
  const field = element("textarea", { class: "visually-hidden", "aria-hidden": "true" });
  field.value = text;
  button.parentElement.append(field); // inside of an open dialog, which keeps the focus
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  button.focus();
  if (!isCopied) throw new Error("the browser does not copy");
}
