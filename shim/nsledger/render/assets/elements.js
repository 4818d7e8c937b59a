/* Elements. Text comes in as text nodes only: nothing in this page parses a string as HTML. */

/** The element with this id. */
const byId = (id) => document.getElementById(id);

/** A new element; `attributes` beginning with `on` are listeners, and false ones are left out. */
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** What others chose, set apart so that its direction of writing ends where it ends. */
const named = (text, attributes) => element("bdi", { title: text, ...(attributes || {}) }, text);

/** For screen readers only. */
const unseen = (text) => element("span", { class: "unseen" }, text);

const plural = (count, one, many) => `${count} ${count === 1 ? one : many || one + "s"}`;

/** `record 412` or `records 412, 415`. */
function cite(records) {
  if (!records || !records.length) return "";
  const shown = records.length > 8 ? [...records.slice(0, 4), "…", ...records.slice(-3)] : records;
  return `${records.length === 1 ? "record" : "records"} ${shown.join(", ")}`;
}
