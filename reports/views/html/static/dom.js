// Elements made by code: text goes in as text nodes only, never as markup.

const SVG_NAMES = new Set(["svg", "line", "rect", "path", "g"]);

/** An element with attributes (`on…` are listeners, `class` and `text` what they say, null and false leave out) and children. */
function el(name, attributes = {}, ...children) {
  const node = SVG_NAMES.has(name)
    ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "text") node.textContent = value;
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const UNSHOWN = /[\p{Cc}\p{Cf}\p{Cs}\p{Cn}\p{Zl}\p{Zp}]/gu;

/** Foreign text with every control, format or unassigned character spelt out; line breaks and tabs stay where asked. */
function plain(text, { lines = false } = {}) {
  return String(text).replace(UNSHOWN, (c) =>
    lines && (c === "\n" || c === "\t") ? c : `\\u{${c.codePointAt(0).toString(16)}}`);
}

/** Whether keys typed now belong to a field rather than to the page. */
function typing(target) {
  return target instanceof Element && target.closest("input:not([type=range]):not([type=checkbox]), textarea, select") !== null;
}
