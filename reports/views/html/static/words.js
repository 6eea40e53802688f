// Numbers as words, the way the other views of the report say them.

const DASH = "–";

function points(share) {
  const value = Math.round(100 * share) || 0;
  return value > 0 ? `+${value}` : String(value).replace("-", "−");
}

function interval(limits) {
  return `[${points(limits[0])}, ${points(limits[1])}]`;
}

function percent(share) {
  if (share === null || share === undefined) return DASH;
  const value = Math.round(100 * share);
  if (value === 100 && share < 1) return ">99 %";
  return value === 0 && share > 0 ? "<1 %" : `${value} %`;
}

function pText(p) {
  if (p === null || p === undefined) return DASH;
  if (p === 1) return "1";
  return p < 0.0001 ? "<0.0001" : p > 0.9999 ? ">0.9999" : p.toFixed(4);
}

function fraction(rate) {
  return rate ? `${rate.count}/${rate.n}` : DASH;
}

function number(value, digits = 1) {
  if (value === null || value === undefined) return DASH;
  const text = Number.isInteger(value) ? String(value) : value.toFixed(digits).replace(/\.0+$/, "");
  return text.replace("-", "−");
}

function plural(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** A name of the records as words: right_terminal becomes right terminal. */
function words(name) {
  return plain(name).replaceAll("_", " ");
}
