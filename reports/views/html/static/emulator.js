// A small terminal: what a recording's bytes leave on a screen, and nothing that they could do to the reader.

const SCROLLBACK = 2000; // lines kept above the screen
const LONGEST_STRING = 4096; // characters of a title, link or device string that are swallowed before it counts as text
const LONGEST_MARK = 8192;
const COMBINING = /^\p{M}$/u;
const STRANGE = /^[\p{Cf}\p{Cs}\p{Cn}\p{Zl}\p{Zp}]$/u;
const DRAWN = "◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·"; // what ` to ~ are in the line drawing set
const WIDE = /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]$/u;

class Emulator {
  constructor(columns, rows) {
    this.columns = columns;
    this.rows = rows;
    this.reset();
  }

  reset() {
    this.above = [];
    this.dropped = 0; // lines that fell out of the scrollback
    this.screen = Array.from({ length: this.rows }, () => new Line());
    this.other = null; // the main screen while the alternate one is shown
    this.x = this.y = 0;
    this.saved = [0, 0, BLANK];
    this.style = BLANK;
    this.top = 0;
    this.bottom = this.rows - 1;
    this.wraps = true;
    this.drawing = [false, false]; // whether the character sets G0 and G1 draw lines
    this.set = 0; // the one in use
    this.parse = this.ground;
    this.held = "";
  }

  /** Everything that is shown: the lines that scrolled away, then the screen down to its last line in use. */
  lines() {
    let last = this.rows - 1;
    while (last > this.y && this.screen[last].cells.length === 0) last--;
    return [...this.above, ...this.screen.slice(0, last + 1)];
  }

  write(text) {
    for (const c of text) this.parse(c);
  }

  /** Text that the reader is shown in place of what a terminal without echo does not show. */
  type(text) {
    const style = this.style;
    this.style = TYPED;
    this.parse = this.ground;
    for (const c of text) {
      const code = c.codePointAt(0);
      if (code < 32) this.print(String.fromCodePoint(0x2400 + code));
      else if (code === 127) this.print("\u2421");
      else this.print(c);
    }
    this.style = style;
    this.carriageReturn();
    this.feed();
  }

  // -- what a character means, by state

  ground(c) {
    const code = c.codePointAt(0);
    if (code >= 32 && code !== 127 && !(code >= 128 && code < 160)) this.print(this.drawing[this.set] ? DRAWN[code - 96] ?? c : c);
    else if (c === "\x1b") this.parse = this.escape;
    else if (c === "\x1e") this.begin(this.mark);
    else if (c === "\n" || c === "\v" || c === "\f") this.feed();
    else if (c === "\r") this.carriageReturn();
    else if (c === "\b") this.x = Math.max(Math.min(this.x, this.columns - 1) - 1, 0);
    else if (c === "\x0e" || c === "\x0f") this.set = c === "\x0e" ? 1 : 0;
    else if (c === "\t") this.x = Math.min((Math.min(this.x, this.columns - 1) | 7) + 1, this.columns - 1);
  }

  begin(state) {
    this.held = "";
    this.parse = state;
  }

  escape(c) {
    this.parse = this.ground;
    if (c === "[") this.begin(this.control);
    else if ("]PX^_".includes(c)) this.begin(this.string);
    else if (c === "(" || c === ")") this.parse = (set) => this.designate(c === "(" ? 0 : 1, set);
    else if (" #%*+-./".includes(c)) this.parse = this.swallow;
    else if (c === "\x1b") this.parse = this.escape;
    else if (c === "7") this.save();
    else if (c === "8") this.restore();
    else if (c === "D") this.feed();
    else if (c === "E") { this.carriageReturn(); this.feed(); }
    else if (c === "M") this.back();
    else if (c === "c") this.restart();
    else if (c < " ") this.ground(c);
  }

  /** As the terminal was at first, with what scrolled away. */
  restart() {
    const { above, dropped } = this;
    this.alternate(false);
    this.reset();
    Object.assign(this, { above, dropped });
  }

  designate(slot, set) {
    this.drawing[slot] = set === "0";
    this.parse = this.ground;
  }

  swallow() {
    this.parse = this.ground;
  }

  /** A title, link or device string: swallowed; one that runs on past a line or a limit was no such thing. */
  string(c) {
    if (c === "\x07" || c === "\x18" || c === "\x1a" || c === "\x9c") this.parse = this.ground;
    else if (c === "\x1b") this.parse = this.escapeInString;
    else if (c === "\n" || this.held.length >= LONGEST_STRING) this.unswallow(c);
    else this.held += c;
  }

  escapeInString(c) {
    this.parse = this.ground;
    if (c !== "\\") this.escape(c);
  }

  mark(c) {
    if (c === "\x1f") this.parse = this.ground;
    else if (c === "\x1e" || c === "\n" || this.held.length >= LONGEST_MARK) this.unswallow(c);
    else this.held += c;
  }

  unswallow(c) {
    const text = this.held;
    this.held = "";
    this.parse = this.ground;
    for (const one of text) this.ground(one);
    this.parse(c);
  }

  control(c) {
    if (c >= " " && c <= "?") {
      if (this.held.length < 256) this.held += c;
    } else if (c >= "@" && c <= "~") {
      this.parse = this.ground;
      this.command(this.held, c);
    } else if (c === "\x1b") this.parse = this.escape;
    else if (c === "\x18" || c === "\x1a") this.parse = this.ground;
    else if (c < " ") { this.ground(c); this.parse = c === "\x1e" ? this.parse : this.control; }
    else this.parse = this.ground;
  }

  command(held, final) {
    const marked = /^[<=>?]/.test(held) ? held[0] : "";
    const body = held.slice(marked.length);
    if (/[ -\/]/.test(body)) return; // with an intermediate character: none that moves text
    const given = body.split(";").map((part) => part.split(":").map((n) => (n === "" ? 0 : Math.min(Number(n) || 0, 9999))));
    if (marked) {
      if (marked === "?" && (final === "h" || final === "l")) this.modes(given.map((part) => part[0]), final === "h");
      return;
    }
    const first = given[0][0];
    const count = Math.max(first, 1);
    const x = Math.min(this.x, this.columns - 1);
    switch (final) {
      case "A": this.move(x, this.rowAbove(this.y, count)); break;
      case "B": case "e": this.move(x, this.rowBelow(this.y, count)); break;
      case "C": case "a": this.move(x + count, this.y); break;
      case "D": this.move(x - count, this.y); break;
      case "E": this.move(0, this.rowBelow(this.y, count)); break;
      case "F": this.move(0, this.rowAbove(this.y, count)); break;
      case "G": case "`": this.move(count - 1, this.y); break;
      case "d": this.move(x, count - 1); break;
      case "H": case "f": this.move(Math.max((given[1] || [1])[0], 1) - 1, count - 1); break;
      case "J": this.erase(first); break;
      case "K": this.eraseLine(first); break;
      case "X": this.screen[this.y].erase(x, Math.min(x + count, this.columns)); break;
      case "@": this.screen[this.y].insert(x, Math.min(count, this.columns), this.columns); break;
      case "P": this.screen[this.y].remove(x, count); break;
      case "L": this.shift(this.y, count, 1); this.x = 0; break;
      case "M": this.shift(this.y, count, -1); this.x = 0; break;
      case "S": for (let i = 0; i < Math.min(count, this.rows); i++) this.scroll(); break;
      case "T": this.shift(this.top, count, 1); break;
      case "r": this.margins(count, (given[1] || [0])[0] || this.rows); this.move(0, 0); break;
      case "s": this.save(); break;
      case "u": this.restore(); break;
      case "m": this.rendition(given); break;
      default: break; // reports, media copy, window operations: nothing that shows
    }
  }

  modes(numbers, on) {
    for (const mode of numbers) {
      if (mode === 7) this.wraps = on;
      if (mode === 47 || mode === 1047 || mode === 1049) this.alternate(on);
    }
  }

  alternate(on) {
    if (on && !this.other) {
      this.save();
      this.other = this.screen;
      this.screen = Array.from({ length: this.rows }, () => new Line());
    } else if (!on && this.other) {
      this.screen = this.other;
      this.other = null;
      this.restore();
    }
  }

  // -- what it does to the screen

  print(c) {
    if (COMBINING.test(c)) {
      const line = this.screen[this.y];
      const at = Math.min(this.x, line.cells.length) - 1;
      if (at >= 0 && line.cells[at].length < 8) line.put(at, line.cells[at] + c, line.styles[at]);
      return;
    }
    const text = STRANGE.test(c) ? "\ufffd" : c;
    const width = WIDE.test(text) ? 2 : 1;
    if (this.x + width > this.columns) {
      if (this.wraps) { this.x = 0; this.feed(); }
      else this.x = this.columns - width;
    }
    this.screen[this.y].put(this.x, text, this.style);
    if (width === 2) this.screen[this.y].put(this.x + 1, "", this.style);
    this.x += width;
  }

  carriageReturn() {
    this.x = 0;
  }

  feed() {
    if (this.y === this.bottom) this.scroll();
    else this.y = Math.min(this.y + 1, this.rows - 1);
    if (this.x >= this.columns) this.x = this.columns - 1;
  }

  back() {
    if (this.y === this.top) this.shift(this.top, 1, 1);
    else this.y = Math.max(this.y - 1, 0);
  }

  scroll() {
    const [gone] = this.screen.splice(this.top, 1);
    this.screen.splice(this.bottom, 0, new Line());
    if (this.top === 0 && !this.other) {
      this.above.push(gone);
      if (this.above.length > SCROLLBACK) {
        this.above.shift();
        this.dropped++;
      }
    }
  }

  shift(from, count, direction) {
    if (from < this.top || from > this.bottom) return;
    for (let i = 0; i < Math.min(count, this.rows); i++) {
      this.screen.splice(direction > 0 ? this.bottom : from, 1);
      this.screen.splice(direction > 0 ? from : this.bottom, 0, new Line());
    }
  }

  move(x, y) {
    this.x = Math.max(0, Math.min(x, this.columns - 1));
    this.y = Math.max(0, Math.min(y, this.rows - 1));
  }

  /** The row so many rows up, or down; from inside the margins it stops at them. */
  rowAbove(y, count) {
    return y >= this.top ? Math.max(y - count, this.top) : y - count;
  }

  rowBelow(y, count) {
    return y <= this.bottom ? Math.min(y + count, this.bottom) : y + count;
  }

  margins(top, bottom) {
    const low = Math.min(bottom, this.rows) - 1;
    if (top - 1 < low) { this.top = top - 1; this.bottom = low; }
  }

  erase(how) {
    if (how === 0) this.eraseLine(0);
    if (how === 1) this.eraseLine(1);
    for (let y = 0; y < this.rows; y++) {
      if (how === 2 || how === 3 || (how === 0 && y > this.y) || (how === 1 && y < this.y)) this.screen[y].erase(0, Infinity);
    }
  }

  eraseLine(how) {
    const x = Math.min(this.x, this.columns - 1);
    if (how <= 2) this.screen[this.y].erase(how === 0 ? x : 0, how === 1 ? x + 1 : Infinity);
  }

  save() {
    this.saved = [this.x, this.y, this.style];
  }

  restore() {
    const [x, y, style] = this.saved;
    this.move(x, y);
    this.style = style;
  }

  rendition(given) {
    for (let i = 0; i < given.length; i++) {
      const [code, ...sub] = given[i];
      if (code === 38 || code === 48) {
        const [colour, used] = sub.length ? [extended(sub), 0] : extendedFlat(given.slice(i + 1).map((part) => part[0]));
        i += used;
        if (colour !== null) this.colour(code === 48, colour);
      } else this.attribute(code);
    }
  }

  attribute(code) {
    const set = { 1: BOLD, 2: FAINT, 3: ITALIC, 4: UNDERLINE, 7: INVERSE, 9: STRUCK };
    const unset = { 22: BOLD | FAINT, 23: ITALIC, 24: UNDERLINE, 27: INVERSE, 29: STRUCK };
    if (code === 0) this.style = BLANK;
    else if (set[code]) this.style |= set[code];
    else if (unset[code]) this.style &= ~unset[code];
    else if (code >= 30 && code <= 37) this.colour(false, code - 30);
    else if (code >= 90 && code <= 97) this.colour(false, code - 82);
    else if (code >= 40 && code <= 47) this.colour(true, code - 40);
    else if (code >= 100 && code <= 107) this.colour(true, code - 92);
    else if (code === 39) this.style &= ~(HAS_INK | 15);
    else if (code === 49) this.style &= ~(HAS_GROUND | (15 << 5));
  }

  colour(ground, index) {
    if (ground) this.style = (this.style & ~(15 << 5)) | (index << 5) | HAS_GROUND;
    else this.style = (this.style & ~15) | index | HAS_INK;
  }
}
