// A dialog that asks before something is done, and stays open with the reason if it fails.

import { byId, setText } from "./dom.js";

export class Dialog {
  constructor() {
    this.node = byId("ask");
    this.yes = byId("ask-yes");
    this.node.addEventListener("close", () => (byId("token").value = ""));
    byId("ask-no").addEventListener("click", () => this.node.close());
    byId("ask-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.act();
    });
  }

  /** Ask, and call `act` with what was typed if the answer is yes. */
  ask({ title, text, yes, no, act, asksToken = false }) {
    this.onYes = act;
    setText(byId("ask-title"), title);
    setText(byId("ask-text"), text);
    setText(this.yes, yes);
    setText(byId("ask-no"), no);
    byId("ask-field").hidden = !asksToken;
    byId("ask-problem").hidden = true;
    this.node.showModal();
    (asksToken ? byId("token") : byId("ask-no")).focus(); // Enter must not do what cannot be undone
  }

  async act() {
    this.yes.disabled = true;
    try {
      await this.onYes(byId("token").value.trim());
      this.node.close();
    } catch (error) {
      setText(byId("ask-problem"), error.message);
      byId("ask-problem").hidden = false;
    } finally {
      this.yes.disabled = false;
    }
  }
}
