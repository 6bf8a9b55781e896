// The plot of progress over time, drawn from the history that the server kept and the changes that were received since.
//
// The line has steps, because no job ends between two results: a stall is flat. Nothing is drawn for a time of which nothing was kept. The line
// is dashed from the newest result until now.

import { element, setChildren, setText, shape } from "./dom.js";
import { count, duration } from "./wording.js";

const POINTS_MAX = 1200; // more than the plot has pixels; beyond that, points are dropped that no eye can tell from their neighbours
const INTERVALS = POINTS_MAX / 4; // points come in pairs at worst, the two ends of each silence: half of them are left
const HEIGHT = 220;
const EDGE = { left: 50, right: 14, top: 14, bottom: 26 };
const CLOCK = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const DAY_AND_CLOCK = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

export class Plot {
  constructor(place, readout) {
    this.place = place;
    this.readout = readout;
    this.points = [];
    this.kept = null; // the points that the server kept, once they are read
    this.repairs = [];
    place.addEventListener("pointermove", (event) => this.point(event));
    place.addEventListener("pointerleave", () => this.point(null));
    new ResizeObserver(() => this.draw()).observe(place);
  }

  /** Take the history that the server kept, [seconds, ended, failed], for all but the changes since. */
  begin(kept) {
    this.kept = kept;
    const newest = kept.at(-1)?.[0] ?? -Infinity;
    this.points = [...kept, ...this.points.filter(([at]) => at > newest)];
    this.draw();
  }

  /** Add the current point; the frame says what the axes show. */
  add(point, frame) {
    const last = this.points.at(-1);
    const [at, ...counts] = point;
    if (!last || counts.some((number, index) => number !== last[index + 1])) this.points.push([Math.max(at, last?.[0] ?? at), ...counts]);
    if (this.points.length > POINTS_MAX) this.points = spaced(this.points, (frame.to - frame.from) / INTERVALS);
    this.frame = frame; // {from, to, total, moves, hasEnded}
    this.draw();
  }

  draw() {
    const width = this.place.clientWidth;
    if (!width || !this.frame) return;
    this.scale = scaleOf(this.frame, width);
    this.cursor = shape("line", { class: "cursor", y1: EDGE.top, y2: HEIGHT - EDGE.bottom, visibility: "hidden" });
    const drawing = shape(
      "svg",
      { role: "img", "aria-label": this.summary(), viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT },
      ...this.grid(width),
      ...this.lines(),
      ...this.repairs.filter((at) => at >= this.frame.from).map((at) => this.mark(at)),
      this.cursor,
    );
    setChildren(this.place, [drawing]);
  }

  summary() {
    const [at, ended] = this.points.at(-1) ?? [this.frame.from, 0];
    const after = duration(at - this.frame.from);
    return `${count(ended)} of ${count(this.frame.total)} jobs had ended ${after} after the batch was created`;
  }

  /** Return what is not known, as a sentence; empty if the history is whole, or not read yet. */
  gap() {
    const begin = this.kept?.length ? this.kept[0][0] : this.points[0]?.[0];
    if (!this.kept || begin === undefined || begin <= this.frame.from) return "";
    return this.frame.hasEnded && !this.kept.length ? "No history was kept." : `No history was kept before ${this.clock(begin)}.`;
  }

  grid(width) {
    const { y } = this.scale;
    const levels = [0, 0.5, 1].flatMap((share) => {
      const at = y(share * this.frame.total);
      return [
        shape("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: at, y2: at }),
        shape("text", { class: "tick", x: EDGE.left - 8, y: at + 4, "text-anchor": "end" }, `${share * 100} %`),
      ];
    });
    const tick = (x, at, anchor) =>
      shape("text", { class: "tick", x, y: HEIGHT - 6, "text-anchor": anchor }, this.clock(at));
    const { from, to } = this.frame;
    const times = [tick(EDGE.left, from, "start"), tick(width - EDGE.right, to, "end")];
    return [...levels, ...times];
  }

  /** Return the time of day, with the date if the plot covers more than one day. */
  clock(at) {
    const days = [this.frame.from, this.frame.to].map((end) => new Date(end * 1000).toDateString());
    return (days[0] === days[1] ? CLOCK : DAY_AND_CLOCK).format(at * 1000);
  }

  lines() {
    const { from, to, moves } = this.frame;
    const points = this.points.length ? this.points : [[from, 0, 0]];
    const first = points[0];
    const last = points.at(-1);
    const drawn = [
      shape("path", { class: "area", d: `${this.path(points, 1)}${this.down(first, last)}` }),
      shape("path", { class: "line", d: this.path(points, 1) }),
    ];
    if (last[2] > 0) drawn.push(shape("path", { class: "line failed", d: this.path(points, 2) }));
    if (to > last[0]) {
      const wait = [last, [to, last[1], last[2]]];
      drawn.push(shape("path", { class: `line ${moves ? "unwatched" : "waiting"}`, d: this.path(wait, 1) }));
    }
    drawn.push(shape("circle", { class: "head", cx: this.scale.x(last[0]), cy: this.scale.y(last[1]), r: 4 }));
    return drawn;
  }

  path([first, ...others], column) {
    const at = (point) => this.scale.x(point[0]).toFixed(1);
    const level = (point) => this.scale.y(point[column]).toFixed(1);
    return `M${at(first)} ${level(first)}${others.map((point) => `H${at(point)}V${level(point)}`).join("")}`;
  }

  down(first, last) {
    const { x, y } = this.scale;
    return `L${x(last[0]).toFixed(1)} ${y(0)}L${x(first[0]).toFixed(1)} ${y(0)}Z`;
  }

  mark(at) {
    const x = this.scale.x(Math.min(at, this.frame.to));
    return shape(
      "g",
      { class: "repair-mark" },
      shape("line", { x1: x, x2: x, y1: EDGE.top, y2: HEIGHT - EDGE.bottom }),
      shape("text", { x: x - 6, y: EDGE.top + 30, "text-anchor": "end" }, "repaired"),
    );
  }

  /** Show the progress at the time under the pointer. */
  point(event) {
    if (!event || !this.scale || !this.points.length) {
      this.cursor?.setAttribute("visibility", "hidden");
      setText(this.readout, "");
      return;
    }
    const at = this.scale.at(event.clientX - this.place.getBoundingClientRect().left);
    const point = this.points.findLast((one) => one[0] <= at);
    const failed = point?.[2] ? `, ${count(point[2])} failed` : "";
    setText(this.readout, `${this.clock(at)}: ${point ? `${count(point[1])} ended${failed}` : "no history was kept"}`);
    for (const name of ["x1", "x2"]) this.cursor.setAttribute(name, this.scale.x(at));
    this.cursor.setAttribute("visibility", "visible");
  }
}

/** Return the points without those that are no interval after the one before and held for no interval either. */
function spaced(points, interval) {
  const left = [points[0]];
  points.slice(1, -1).forEach((point, index) => {
    if (point[0] - left.at(-1)[0] >= interval || points[index + 2][0] - point[0] >= interval) left.push(point);
  });
  return [...left, points.at(-1)];
}

function scaleOf({ from, to, total }, width) {
  const seconds = Math.max(to - from, 1);
  const room = { x: width - EDGE.left - EDGE.right, y: HEIGHT - EDGE.top - EDGE.bottom };
  const inside = (at) => Math.min(Math.max(at, from), from + seconds);
  return {
    x: (at) => EDGE.left + (room.x * (inside(at) - from)) / seconds,
    y: (jobs) => HEIGHT - EDGE.bottom - (room.y * jobs) / Math.max(total, 1),
    at: (x) => inside(from + (seconds * (x - EDGE.left)) / room.x),
  };
}
