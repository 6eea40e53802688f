// One line of the terminal: its cells, and their styles as numbers.

const BLANK = 0; // a style: bits 0-3 colour + 1 flag at bit 4, 5-8 background + flag at 9, then attributes
const HAS_INK = 1 << 4, HAS_GROUND = 1 << 9;
const BOLD = 1 << 10, FAINT = 1 << 11, ITALIC = 1 << 12, UNDERLINE = 1 << 13, INVERSE = 1 << 14, STRUCK = 1 << 15;
const TYPED = 1 << 16;

class Line {
  constructor() {
    this.cells = [];
    this.styles = [];
    this.version = 0;
  }

  put(x, text, style) {
    while (this.cells.length < x) {
      this.cells.push(" ");
      this.styles.push(BLANK);
    }
    this.cells[x] = text;
    this.styles[x] = style;
    this.version++;
  }

  erase(from, to) {
    const end = Math.min(to, this.cells.length);
    for (let x = from; x < end; x++) {
      this.cells[x] = " ";
      this.styles[x] = BLANK;
    }
    if (to >= this.cells.length && from < this.cells.length) {
      this.cells.length = from;
      this.styles.length = from;
    }
    this.version++;
  }

  insert(x, count, columns) {
    if (x < this.cells.length) {
      this.cells.splice(x, 0, ...Array(count).fill(" "));
      this.styles.splice(x, 0, ...Array(count).fill(BLANK));
      this.cells.length = this.styles.length = Math.min(this.cells.length, columns);
      this.version++;
    }
  }

  remove(x, count) {
    this.cells.splice(x, count);
    this.styles.splice(x, count);
    this.version++;
  }

  /** The line as [text, style] runs. */
  runs() {
    const found = [];
    for (let x = 0; x < this.cells.length; x++) {
      const last = found[found.length - 1];
      if (last && last[1] === this.styles[x]) last[0] += this.cells[x];
      else found.push([this.cells[x], this.styles[x]]);
    }
    return found;
  }

  get text() {
    return this.cells.join("");
  }
}
