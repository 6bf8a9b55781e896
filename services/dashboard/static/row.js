// A batch in the list: its name and labels, its bar, and what it does.

import { Bar } from "./bar.js";
import { element, setAttribute, setChildren, setText } from "./dom.js";
import { count, endedJobs, nameOf, paceOf, stateOf } from "./wording.js";

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
    const { word, kind } = stateOf(batch);
    const failed = Number(batch.failed_jobs);
    this.bar.update(batch);
    setAttribute(this.node, "data-kind", kind);
    setAttribute(this.state, "data-kind", kind);
    setText(this.state, word);
    setText(this.percent, `${batch.percent_complete} %`);
    setText(this.counts, `${count(endedJobs(batch))} / ${count(batch.total_jobs)}`);
    setText(this.failed, failed ? `${count(failed)} failed` : "");
    setText(this.pace, paceOf(batch));
  }
}

function nameLink(batch, name) {
  const address = `batch?${new URLSearchParams({ id: batch.batch_id })}`;
  return element("h2", {}, element("a", { href: address }, name));
}

function identity(batch, name, filterBy) {
  const line = element("p", { class: "row-identity" });
  const parts = name === batch.batch_id ? [] : [element("code", {}, batch.batch_id)];
  for (const [key, value] of Object.entries(batch.labels).sort()) {
    const chip = element("button", { class: "chip", type: "button", title: "Show batches with this label" });
    chip.append(element("span", { class: "chip-key" }, `${key}=`), value);
    chip.addEventListener("click", () => filterBy(`${key}=${value}`));
    parts.push(chip);
  }
  setChildren(line, parts);
  return line;
}
