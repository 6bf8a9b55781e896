// The filters of the list. They are part of the page's address, so that a filtered list can be bookmarked, shared and left by the back button.

import { byId, element, setChildren } from "./dom.js";
import { ORDERS } from "./orders.js";

const TYPING_MS = 250; // a pause in typing
const NAMES = ["state", "text", "failures", "from", "until", "order", "page"];

export class Filters {
  constructor(changed) {
    this.changed = changed;
    this.form = byId("filters");
    this.read();
    this.listen();
  }

  get areSet() {
    return Boolean(this.labels.length || NAMES.some((name) => name !== "order" && this[name]));
  }

  /** Return all filters by their names. */
  values() {
    return { labels: this.labels, ...Object.fromEntries(NAMES.map((name) => [name, this[name]])) };
  }

  /** Return the address of the list with some filters changed. */
  address(changes = {}) {
    const values = { ...this.values(), ...changes };
    const query = new URLSearchParams(values.labels.map((label) => ["label", label]));
    for (const name of NAMES) if (values[name]) query.set(name, values[name]);
    const text = query.toString();
    return text ? `./?${text}` : "./";
  }

  addLabel(label) {
    if (!this.labels.includes(label)) this.set({ labels: [...this.labels, label] });
  }

  /** Show a link to the next page if there is one, and a link to the first page unless this is it. */
  showPages(nextPage) {
    byId("pages").hidden = !nextPage && !this.page;
    byId("older").hidden = !nextPage;
    byId("newest").hidden = !this.page;
    byId("older").textContent = this.order ? "Next" : "Older";
    byId("newest").textContent = this.order ? "First" : "Newest";
    byId("older").href = this.address({ page: nextPage });
    byId("newest").href = this.address({ page: "" });
  }

  read() {
    const query = new URLSearchParams(location.search);
    for (const name of NAMES) this[name] = query.get(name) ?? "";
    if (!(this.order in ORDERS)) this.order = "";
    this.state = this.state.toUpperCase();
    this.labels = query.getAll("label");
    this.show();
  }

  show() {
    if (this.form.text.value.trim() !== this.text) this.form.text.value = this.text;
    for (const choice of this.form.state) choice.checked = choice.value === this.state;
    this.form.failures.checked = Boolean(this.failures);
    this.form.order.value = this.order;
    for (const name of ["from", "until"]) this.form[name].value = localOf(this[name]);
    setChildren(byId("labels"), this.labels.map((label) => this.chip(label)));
  }

  chip(label) {
    const remove = element("button", { class: "chip", type: "button", "aria-label": `Remove the label ${label}` });
    remove.append(label, element("span", { class: "chip-x", "aria-hidden": "true" }, "×"));
    remove.addEventListener("click", () => {
      this.set({ labels: this.labels.filter((one) => one !== label) });
      this.form.label.focus();
    });
    return element("li", {}, remove);
  }

  /** Change filters and return to the first page. Going back undoes it, except each letter of a text that is typed on. */
  set(values) {
    const isTyped = "text" in values && Boolean(this.text) && Object.keys(values).length === 1;
    const text = this.form.text.value.trim(); // it may have been typed a moment ago
    Object.assign(this, { page: "", text }, values);
    history[isTyped ? "replaceState" : "pushState"](null, "", this.address());
    this.show();
    this.changed();
  }

  listen() {
    let typing = 0;
    const { form } = this;
    form.text.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => this.setText(), TYPING_MS);
    });
    for (const choice of form.state) choice.addEventListener("change", () => this.set({ state: choice.value }));
    form.failures.addEventListener("change", () => this.set({ failures: form.failures.checked ? "1" : "" }));
    form.order.addEventListener("change", () => this.set({ order: form.order.value }));
    for (const name of ["from", "until"]) {
      form[name].addEventListener("change", () => this.set({ [name]: utcOf(form[name].value) }));
    }
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      clearTimeout(typing);
      this.submit();
    });
    addEventListener("popstate", () => {
      clearTimeout(typing);
      this.read();
      this.changed();
    });
  }

  setText() {
    const text = this.form.text.value.trim();
    if (text !== this.text) this.set({ text });
  }

  submit() {
    const label = this.form.label.value.trim();
    this.form.label.value = "";
    if (label) this.addLabel(label);
    this.setText();
  }
}

/** Return the value of a field for local time as a time of the contract; empty if there is none. */
function utcOf(local) {
  const time = new Date(local);
  return Number.isNaN(time.getTime()) ? "" : time.toISOString().replace(/:00\.000Z$/, ":00Z");
}

/** Return a time of the contract for a field for local time; empty if there is none. */
function localOf(utc) {
  const time = new Date(utc);
  if (Number.isNaN(time.getTime())) return "";
  const shifted = new Date(time.getTime() - time.getTimezoneOffset() * 60000);
  return shifted.toISOString().slice(0, 16);
}
