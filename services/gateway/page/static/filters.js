// The filters of the list. They are part of the page's address, so that a filtered list can be bookmarked and shared.

import { byId, element, setChildren } from "./dom.js";

const TYPING_MS = 250; // a pause in typing

export class Filters {
  constructor(changed) {
    this.changed = changed;
    this.form = byId("filters");
    this.read();
    this.listen();
  }

  get areSet() {
    return Boolean(this.state || this.text || this.labels.length || this.page);
  }

  /** Return the query that requests the filtered list. */
  query() {
    const query = new URLSearchParams(this.labels.map((label) => ["label", label]));
    for (const name of ["state", "text", "page"]) if (this[name]) query.set(name, this[name]);
    return query;
  }

  addLabel(label) {
    if (!this.labels.includes(label)) this.set({ labels: [...this.labels, label] });
  }

  /** Show a link to the next page if there is one, and a link to the first page unless this is it. */
  showPages(nextPage) {
    byId("pages").hidden = !nextPage && !this.page;
    byId("older").hidden = !nextPage;
    byId("newest").hidden = !this.page;
    byId("older").href = this.address({ page: nextPage });
    byId("newest").href = this.address({ page: "" });
  }

  read() {
    const query = new URLSearchParams(location.search);
    this.state = query.get("state") ?? "";
    this.text = query.get("text") ?? "";
    this.page = query.get("page") ?? "";
    this.labels = query.getAll("label");
    this.show();
  }

  show() {
    if (this.form.text.value.trim() !== this.text) this.form.text.value = this.text;
    for (const choice of this.form.state) choice.checked = choice.value === this.state;
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

  /** Change filters and return to the first page. */
  set(values) {
    Object.assign(this, { page: "" }, values);
    history.replaceState(null, "", this.address({}));
    this.show();
    this.changed();
  }

  address(values) {
    const query = Object.assign(Object.create(this), values).query().toString();
    return query ? `./?${query}` : "./";
  }

  listen() {
    let typing = 0;
    this.form.text.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => this.set({ text: this.form.text.value.trim() }), TYPING_MS);
    });
    for (const choice of this.form.state) choice.addEventListener("change", () => this.set({ state: choice.value }));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      clearTimeout(typing);
      this.submit();
    });
  }

  submit() {
    const label = this.form.label.value.trim();
    this.form.label.value = "";
    const labels = label && !this.labels.includes(label) ? [...this.labels, label] : this.labels;
    this.set({ text: this.form.text.value.trim(), labels });
  }
}
