// One session played: its recording compiled into steps on a timeline, a screen, a scrubber and the list of turns.

const LONGEST_PAUSE = 2; // seconds; longer silences are shortened to this
const THINKING = 0.4; // seconds at least that pass before a turn, so that a quick session can be followed too
const TURN_MARK = /^(\d+): /;

/** The steps of a session: what is shown, what was typed, and where turns begin; `at` is playing time, `real` the recording's. */
function compile(session) {
  const steps = [];
  const lines = new Map(session.turns.map((turn) => [turn.index, turn.lines]));
  let at = 0, before = session.events.length ? session.events[0][0] : 0, queue = [], turn = 0;
  const type = (real) => {
    const line = queue.shift();
    if (line && line.end !== "refused") steps.push({ at, real, kind: "typed", text: line.text, turn });
    return line;
  };
  for (const [real, kind, text] of session.events) {
    at += Math.min(Math.max(real - before, kind === "m" ? THINKING : 0), LONGEST_PAUSE);
    before = Math.max(real, before);
    if (kind === "m") {
      const found = TURN_MARK.exec(text);
      turn = found ? Number(found[1]) : turn + 1;
      steps.push({ at, real, kind: "mark", text: "", turn });
      queue = [...(lines.get(turn) ?? [{ text: found ? text.slice(found[0].length) : text, end: "prompt" }])];
      queue.waiting = type(real)?.end === "waiting";
    } else {
      steps.push({ at, real, kind: "shown", text, turn });
      if (queue.length && (queue.waiting || /[$>] $/.test(text))) queue.waiting = type(real)?.end === "waiting";
    }
  }
  for (const { index, seconds } of session.turns.filter((one) => one.index > turn)) { // never typed: the recording has no mark of it
    at += Math.min(Math.max(seconds ?? 0, THINKING), LONGEST_PAUSE);
    before += seconds ?? 0;
    steps.push({ at, real: before, kind: "mark", text: "", turn: index });
  }
  return steps;
}

/** How long a playing of the steps takes, in seconds. */
function duration(steps) {
  return steps.length ? steps[steps.length - 1].at : 0;
}

class Player {
  /** `arm` names it; `onturn` hears of a turn that the reader chose. */
  constructor(arm, session, onturn) {
    this.arm = arm;
    this.session = session;
    this.steps = compile(session);
    this.length = duration(this.steps);
    this.turns = [...new Set(this.steps.filter((step) => step.kind === "mark").map((step) => step.turn))];
    this.emulator = new Emulator(session.width, session.height);
    this.next = 0; // the step that comes next
    this.time = 0;
    this.playing = false;
    this.speed = 1;
    this.drawn = [];
    this.build(onturn);
    this.seek(this.length);
  }

  build(onturn) {
    this.screen = el("div", { class: "screen", tabindex: 0, role: "region", "aria-label": `terminal of the ${this.arm} arm` });
    this.button = el("button", { type: "button", class: "play", onclick: () => this.toggle() }, "Play");
    this.range = el("input", {
      type: "range", min: 0, max: 1000, step: 1, class: "scrubber", "aria-label": `time in the ${this.arm} recording`,
      oninput: () => { this.pause(); this.seek((this.range.value / 1000) * this.length); },
    });
    this.clock = el("span", { class: "clock" });
    const ticks = el("div", { class: "ticks", "aria-hidden": "true" });
    for (const step of this.steps.filter((one) => one.kind === "mark")) {
      const tick = el("i", {});
      tick.style.left = `${this.length ? (100 * step.at) / this.length : 0}%`;
      ticks.append(tick);
    }
    this.list = el("ol", { class: "turns", "aria-label": `turns of the ${this.arm} arm` }, this.entries(onturn));
    this.controls = el("div", { class: "controls" }, this.button, el("div", { class: "track" }, this.range, ticks), this.clock);
  }

  entries(onturn) {
    const entry = (turn, ...content) => el("li", { "data-turn": turn },
      el("button", { type: "button", class: "turn", "aria-label": turn ? `turn ${turn}` : "landing", onclick: () => onturn(turn) },
        turn ? String(turn) : "start"), ...content);
    const opening = this.session.opening.map((message) => `${message.role}: ${message.content}`).join("\n");
    return [entry(0, said(opening)), ...this.session.turns.map((turn) => entry(turn.index, el("div", { class: "said" },
      reply(turn.reply), el("small", { text: turnFacts(turn) }))))];
  }

  // -- time

  seek(time) {
    this.time = Math.max(0, Math.min(time, this.length));
    if (this.next > 0 && this.steps[this.next - 1].at > this.time) this.rewind();
    while (this.next < this.steps.length && this.steps[this.next].at <= this.time) this.step();
    this.draw();
  }

  /** To the end of a turn: what it typed and all that this showed; 0 is the landing. */
  seekTurn(turn) {
    this.pause();
    const known = Math.min(turn, this.turns.length ? this.turns[this.turns.length - 1] : 0);
    this.rewind();
    while (this.next < this.steps.length && this.steps[this.next].turn <= known) this.step();
    this.time = this.next ? this.steps[this.next - 1].at : 0;
    this.draw();
  }

  rewind() {
    this.emulator.reset();
    this.next = 0;
  }

  step() {
    const step = this.steps[this.next++];
    if (step.kind === "shown") this.emulator.write(step.text);
    else if (step.kind === "typed") this.emulator.type(step.text);
  }

  get turn() {
    return this.next ? this.steps[this.next - 1].turn : 0;
  }

  get lastTurn() {
    return this.turns.length ? this.turns[this.turns.length - 1] : 0;
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  play() {
    if (this.next >= this.steps.length) this.seek(0);
    this.playing = true;
    this.last = null;
    this.button.textContent = "Pause";
    this.frame = requestAnimationFrame((now) => this.advance(now));
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    cancelAnimationFrame(this.frame);
    this.button.textContent = "Play";
  }

  advance(now) {
    if (!this.playing) return;
    if (!this.screen.isConnected) { this.pause(); return; }
    const passed = this.last === null ? 0 : (now - this.last) / 1000;
    this.last = now;
    this.seek(this.time + passed * this.speed);
    if (this.next >= this.steps.length) this.pause();
    else this.frame = requestAnimationFrame((later) => this.advance(later));
  }

  // -- showing it

  draw() {
    const lines = this.emulator.lines();
    const follow = this.screen.scrollHeight - this.screen.scrollTop - this.screen.clientHeight < 40 || !this.screen.isConnected;
    lines.forEach((line, i) => {
      const known = this.drawn[i];
      if (known && known.line === line && known.version === line.version) return;
      const row = el("div", { class: "row" }, line.runs().map(([text, style]) =>
        style ? el("span", { class: styleNames(style) }, text) : text));
      if (known) known.row.replaceWith(row);
      else this.screen.append(row);
      this.drawn[i] = { line, version: line.version, row };
    });
    for (const { row } of this.drawn.splice(lines.length)) row.remove();
    if (follow || !this.playing) this.screen.scrollTop = this.screen.scrollHeight;
    this.mark();
  }

  /** Show a turn of the list as the current one, without moving the page. */
  point(item) {
    item.setAttribute("aria-current", "step");
    const below = item.offsetTop + item.offsetHeight - this.list.clientHeight;
    if (item.offsetTop < this.list.scrollTop) this.list.scrollTop = item.offsetTop;
    else if (below > this.list.scrollTop) this.list.scrollTop = below;
  }

  mark() {
    const turn = this.turn;
    this.range.value = this.length ? Math.round((1000 * this.time) / this.length) : 1000;
    const real = this.next ? this.steps[this.next - 1].real : 0;
    const said = `turn ${turn} of ${this.lastTurn}, ${real.toFixed(1)} s`;
    this.range.setAttribute("aria-valuetext", said);
    this.clock.textContent = said;
    for (const item of this.list.children) {
      if (Number(item.dataset.turn) !== turn) item.removeAttribute("aria-current");
      else if (!item.hasAttribute("aria-current")) this.point(item);
    }
  }
}

function said(text) {
  return el("div", { class: "said" }, reply(text));
}

function reply(text) {
  return el("pre", { text: plain(text, { lines: true }) });
}

function turnFacts(turn) {
  const ends = turn.lines.map((line) => (line.end === "prompt" ? `status ${line.status ?? DASH}` : words(line.end)));
  const tokens = turn.completion_tokens === null ? [] : [plural(turn.completion_tokens, "token")];
  const cut = turn.finish === "stop" ? [] : [`finish ${plain(turn.finish)}`];
  return [...(ends.length ? ends : ["not typed"]), ...tokens, ...cut, `${number(turn.seconds)} s`].join(" · ");
}
