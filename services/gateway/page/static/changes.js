// What an operator may change: seal and cancel a batch. The progress server decides who is an operator.
//
// A token is kept in the memory of this page alone, and is gone when the page is left. A proxy may send one instead.

import { call, change, Refusal } from "./api.js";
import { Dialog } from "./dialog.js";
import { byId, setText } from "./dom.js";
import { count, endedJobs, isRunning, jobs, nameOf } from "./wording.js";

const SETTINGS = "page.json";
const OPERATIONS = { service: "batchprogress.v1.OperationsService" };
const ROLE = "operator";
const PRINTABLE = /^[!-~]+$/; // what a header can carry
const SENTENCES = {
  TOKEN_INVALID: "The progress server does not accept this token: it is unknown or has expired. Log in with another one.",
  TOKEN_EXPIRED: "This token has expired. Log in with another one.",
  ROLE_MISSING: `This token may not change batches. Log in with one that has the role ${ROLE}.`,
  FOREIGN_ORIGIN: "The gateway refuses changes from this address: its operator can allow it in GATEWAY_CORS_ORIGINS.",
  BATCH_NOT_FOUND: "There is no such batch any more, or this token may not see it.",
};

export class Changes {
  constructor(batchId, changed) {
    this.batchId = batchId;
    this.changed = changed;
    this.token = "";
    this.info = null;
    this.batch = null;
    this.dialog = new Dialog();
    byId("seal").addEventListener("click", () => this.askToSeal());
    byId("cancel").addEventListener("click", () => this.askToCancel());
    byId("log-in").addEventListener("click", () => this.askForToken());
    byId("log-out").addEventListener("click", () => this.logOut());
    this.begin();
  }

  async begin() {
    try {
      const settings = await (await fetch(SETTINGS)).json();
      this.isAllowed = settings.changes;
      if (this.isAllowed) this.info = await this.ask("");
    } catch {
      // Without an answer nobody is known: changes need a token.
    }
    this.show();
  }

  update(batch) {
    this.batch = batch;
    this.show();
  }

  show() {
    const mayChange = Boolean(this.info?.roles.includes(ROLE));
    byId("changes").hidden = !(this.isAllowed && this.batch && isRunning(this.batch));
    byId("seal").hidden = !mayChange || Boolean(this.batch?.sealed);
    byId("cancel").hidden = !mayChange;
    byId("log-in").hidden = mayChange;
    byId("log-out").hidden = !this.token;
    setText(byId("caller"), mayChange && this.info.caller ? `as ${this.info.caller}` : "");
  }

  askForToken() {
    this.dialog.ask({
      title: "Log in",
      text: `With a token of the role ${ROLE}. It is forgotten when this page is left.`,
      yes: "Log in",
      no: "Not now",
      asksToken: true,
      act: (token) => this.logIn(token),
    });
  }

  async logIn(token) {
    if (!PRINTABLE.test(token)) throw new Refusal("A token consists of printable characters without spaces.", 400);
    const info = await this.ask(token);
    if (!info.roles.includes(ROLE)) throw new Refusal(SENTENCES.ROLE_MISSING, 403);
    [this.token, this.info] = [token, info];
    this.show();
  }

  logOut() {
    [this.token, this.info] = ["", null];
    this.begin();
  }

  askToSeal() {
    const text = `No more jobs can be added to it. It completes when its ${jobs(this.batch.totalJobs)} have ended.`;
    this.confirm("SealBatch", `Seal ${nameOf(this.batch)}?`, text, "Seal the batch", "Leave it open");
  }

  askToCancel() {
    const ended = `${count(endedJobs(this.batch))} of ${jobs(this.batch.totalJobs)}`;
    const text = `${ended} have ended. Workers take no further job of it. This cannot be undone.`;
    this.confirm("CancelBatch", `Cancel ${nameOf(this.batch)}?`, text, "Cancel the batch", "Let it run");
  }

  confirm(method, title, text, yes, no) {
    const act = async () => {
      const { batch } = await plainly(change(method, { batchId: this.batchId }, this.token));
      this.changed(batch);
    };
    this.dialog.ask({ title, text, yes, no, act });
  }

  /** Return what the server says about the caller. */
  ask(token) {
    return plainly(call("GetServerInfo", {}, undefined, { ...OPERATIONS, token }));
  }
}

/** Await an answer; an error says in words for an operator why it was refused. */
async function plainly(answer) {
  try {
    return await answer;
  } catch (error) {
    throw new Refusal(SENTENCES[error.reason] ?? error.message, error.status, error.reason);
  }
}
