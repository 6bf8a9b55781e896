// A batch in the list: its name, labels, bar and pace.

import { Bar } from "./bar.js";
import { element, labelled, setAttribute, setChildren, setText } from "./dom.js";
import { count, countsOf, moment, nameOf, paceOf, stateOf, utc } from "./wording.js";

export class Row {
  constructor(batch, filterBy) {
    const name = nameOf(batch);
    this.bar = new Bar(name);
    this.state = element("p", { class: "state" });
    this.percent = element("p", { class: "row-percent" });
    this.counts = element("span", { class: "row-counts" });
    this.failed = element("span", { class: "row-failed" });
    this.pace = element("span", { class: "row-pace" });
    this.node = element(
      "li",
      { class: "row" },
      element("div", { class: "row-name" }, nameLink(batch, name), this.state, identity(batch, name, filterBy)),
      element(
        "div",
        { class: "row-progress" },
        this.bar.node,
        element("p", { class: "row-caption" }, this.counts, this.failed, this.pace),
      ),
      this.percent,
    );
    this.update(batch);
  }

  update(batch) {
    if (batch !== this.batch) [this.batch, this.receivedMs] = [batch, performance.now()];
    const { word, kind } = stateOf(batch);
    const failed = Number(batch.failedJobs);
    this.bar.update(batch);
    setAttribute(this.node, "data-kind", kind);
    setAttribute(this.state, "data-kind", kind);
    setText(this.state, word);
    setText(this.percent, `${batch.percentComplete} %`);
    setText(this.counts, countsOf(batch));
    setText(this.failed, failed ? `${count(failed)} failed` : "");
    setText(this.pace, paceOf(batch, (performance.now() - this.receivedMs) / 1000));
    const time = batch.completeTime ?? batch.lastResultTime;
    setAttribute(this.pace, "title", time ? `${moment(time)} (${utc(time)})` : "");
  }
}

function nameLink(batch, name) {
  const address = `batch?${new URLSearchParams({ id: batch.batchId })}`;
  return element("h2", {}, element("a", { href: address, title: name }, name));
}

function identity(batch, name, filterBy) {
  const line = element("p", { class: "row-identity" });
  const parts = name === batch.batchId ? [] : [element("code", { title: batch.batchId }, batch.batchId)];
  for (const [key, value] of Object.entries(batch.labels).sort()) {
    const chip = labelled("button", key, value, { type: "button", title: `Show batches with ${key}=${value}` });
    chip.addEventListener("click", () => filterBy(`${key}=${value}`));
    parts.push(chip);
  }
  setChildren(line, parts);
  return line;
}
