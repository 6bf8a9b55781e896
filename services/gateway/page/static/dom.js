// Creates and changes elements. Text from outside becomes text nodes, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** Return an element with attributes and children; strings become text. */
export function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Return a label as a chip whose key is paler than its value. */
export function labelled(tag, key, value, attributes) {
  const paler = element("span", { class: "chip-key" }, `${key}=`);
  return element(tag, { class: "chip", ...attributes }, paler, value);
}

/** Return an SVG element. */
export function shape(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Return the element of the page with this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Set an element's text only if it differs, so that screen readers announce only changes. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Set an attribute only if it differs. */
export function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

/** Give an element these children in this order, moving only those that must move. */
export function setChildren(parent, children) {
  const kept = new Set(children);
  for (const child of [...parent.childNodes]) if (!kept.has(child)) child.remove();
  children.forEach((child, index) => {
    if (parent.childNodes[index] !== child) parent.insertBefore(child, parent.childNodes[index] ?? null);
  });
}

/** Give a description list these pairs of term, description, class and title, changing texts in place. */
export function setPairs(list, pairs) {
  const groups = [...list.children];
  pairs.forEach(([term, description, name = "", title = ""], index) => {
    const group = groups[index] ?? list.appendChild(element("div", {}, element("dt"), element("dd")));
    if (group.className !== name) group.className = name;
    setText(group.firstChild, term);
    setText(group.lastChild, description);
    setAttribute(group.lastChild, "title", title);
  });
  groups.slice(pairs.length).forEach((group) => group.remove());
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}
