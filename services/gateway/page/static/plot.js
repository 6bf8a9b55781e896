// The plot of progress over time, drawn from the changes that were received.
//
// The line has steps, because no job ends between two results. It is solid where the batch was watched, and dashed from its creation until the
// watch began, and from the newest result until now if the batch is stalled.

import { element, setChildren, setText, shape } from "./dom.js";
import { count, duration } from "./wording.js";

const POINTS_MAX = 600; // more than the plot has pixels; beyond that, every second point is dropped
const HEIGHT = 220;
const EDGE = { left: 50, right: 14, top: 14, bottom: 26 };
const CLOCK = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const DAY_AND_CLOCK = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

export class Plot {
  constructor(place, readout) {
    this.place = place;
    this.readout = readout;
    this.points = [];
    this.repairs = [];
    place.addEventListener("pointermove", (event) => this.point(event));
    place.addEventListener("pointerleave", () => this.point(null));
    new ResizeObserver(() => this.draw()).observe(place);
  }

  /** Start with points that were kept, [seconds, ended, failed]. */
  begin(points) {
    this.points = points;
  }

  /** Add the current point; the frame says what the axes show. */
  add(point, frame) {
    const last = this.points.at(-1);
    if (!last || point[0] > last[0] || point[1] !== last[1]) this.points.push(point);
    if (this.points.length > POINTS_MAX) this.points = this.points.filter((_, index) => index % 2 === 0);
    this.frame = frame; // {from, to, total, moves}
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
      shape("path", { class: "line unwatched", d: this.straight([from, 0, 0], first) }),
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

  straight(from, to) {
    const { x, y } = this.scale;
    return `M${x(from[0])} ${y(from[1])}L${x(to[0])} ${y(to[1])}`;
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
    const point = this.points.findLast((one) => one[0] <= at) ?? [at, 0, 0];
    const failed = point[2] ? `, ${count(point[2])} failed` : "";
    setText(this.readout, `${this.clock(at)}: ${count(point[1])} ended${failed}`);
    for (const name of ["x1", "x2"]) this.cursor.setAttribute(name, this.scale.x(at));
    this.cursor.setAttribute("visibility", "visible");
  }
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
