// The repairs of a batch: the tallies before and after, and the reason.

import { call } from "./api.js";
import { byId, element, setChildren } from "./dom.js";
import { ago, count, moment, secondsOf, STATES } from "./wording.js";

const COLUMNS = ["total", "succeeded", "failed", "skipped", "pending"];
const SHOWN_MAX = 50; // a batch is repaired once or a few times

/** Show the repairs of a batch, newest first; return when they were made, in seconds since 1970. */
export async function showRepairs(batchId) {
  const { repairs } = await call("ListRepairs", { batchId, pageSize: SHOWN_MAX });
  byId("repairs-card").hidden = repairs.length === 0;
  setChildren(byId("repairs"), repairs.map(repairOf));
  return repairs.map((repair) => secondsOf(repair.repairTime));
}

function repairOf(repair) {
  const time = element("time", { datetime: repair.repairTime, title: moment(repair.repairTime) });
  time.append(ago(repair.repairTime));
  return element(
    "li",
    {},
    element("p", { class: "repair-reason" }, repair.reason, " ", time),
    element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Before and after" }, table(repair)),
  );
}

function table({ before, after }) {
  const heads = ["", "State", ...COLUMNS.map((name) => name[0].toUpperCase() + name.slice(1))];
  return element(
    "table",
    {},
    element("caption", { class: "visually-hidden" }, "Tallies before and after the repair"),
    element("thead", {}, element("tr", {}, ...heads.map(head))),
    element("tbody", {}, row("Before", before, before), row("After", after, before)),
  );
}

const head = (text) => (text ? element("th", { scope: "col" }, text) : element("td"));

function row(name, tallies, before) {
  const cells = COLUMNS.map((column) => {
    const changed = tallies[`${column}Jobs`] !== before[`${column}Jobs`];
    return element("td", changed ? { class: "changed" } : {}, count(tallies[`${column}Jobs`]));
  });
  const state = element("td", tallies.state === before.state ? {} : { class: "changed" }, STATES[tallies.state]?.word ?? "Unknown");
  return element("tr", {}, element("th", { scope: "row" }, name), state, ...cells);
}
