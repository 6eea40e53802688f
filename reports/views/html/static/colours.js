// Colours and styles: whatever a program asks for, as one of sixteen colours that can be read.

/** One of the 16 colours that is like the one meant by `5:n` or `2:…:r:g:b`; null if it is neither. */
function extended(sub) {
  if (sub[0] === 5 && sub.length > 1) return sixteen(sub[1]);
  if (sub[0] === 2 && sub.length > 3) return nearest(...sub.slice(-3));
  return null;
}

function extendedFlat(rest) {
  if (rest[0] === 5) return [rest.length > 1 ? sixteen(rest[1]) : null, 2];
  if (rest[0] === 2) return [rest.length > 3 ? nearest(rest[1], rest[2], rest[3]) : null, 4];
  return [null, 1];
}

function sixteen(n) {
  if (n < 16) return n;
  if (n >= 232) return nearest(...Array(3).fill(8 + 10 * (Math.min(n, 255) - 232)));
  const level = (step) => (step ? 55 + 40 * step : 0);
  const cube = n - 16;
  return nearest(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6));
}

function nearest(red, green, blue) {
  const bright = Math.max(red, green, blue);
  const dim = Math.min(red, green, blue);
  if (bright - dim < 48) return bright < 48 ? 0 : bright < 144 ? 8 : bright < 216 ? 7 : 15;
  const half = (bright + dim) / 2;
  return (red > half ? 1 : 0) + (green > half ? 2 : 0) + (blue > half ? 4 : 0) + (bright > 192 ? 8 : 0);
}

/** A style as the names of CSS classes; text on a coloured ground gets the ink that can be read on it. */
function styleNames(style) {
  const names = [];
  let ink = style & HAS_INK ? style & 15 : null;
  let ground = style & HAS_GROUND ? (style >> 5) & 15 : null;
  if (style & INVERSE) [ink, ground] = [null, ink ?? 7];
  if (ground !== null && ground !== 0) names.push(`g${ground}`);
  else if (ink !== null) names.push(`i${ink}`);
  if (style & BOLD) names.push("bold");
  if (style & ITALIC) names.push("italic");
  if (style & UNDERLINE) names.push("underline");
  if (style & STRUCK) names.push("struck");
  if (style & TYPED) names.push("typed");
  return names.join(" ");
}
