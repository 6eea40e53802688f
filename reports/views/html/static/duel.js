// One pair: its two sessions side by side, with what each came to, and one set of buttons that moves both.

class Duel {
  constructor(pair, turn) {
    this.pair = pair;
    this.turn = turn; // the turn both stand at; null: the end
    this.players = [];
    this.turnLabel = el("span", { class: "clock", role: "status" });
    this.sides = Object.fromEntries(["base", "tuned"].map((arm) => [arm, el("div", { class: "side-body" }, el("p", { text: "Unpacking …" }))]));
    this.heading = el("h2", { id: "duel", tabindex: -1, class: "foreign", text: plain(pair.id) });
    this.node = el("section", { class: "duel", "aria-labelledby": "duel" }, this.top(), this.bar(),
      el("div", { class: "sides" }, ["base", "tuned"].map((arm) => this.side(arm))));
    this.ready = this.load();
  }

  top() {
    const { pair } = this;
    const facts = [pair.archetype ? plain(pair.archetype) : null, pair.critical ? "critical" : null,
      pair.expected_terminal ? `${words(pair.expected_terminal)} is right` : null,
      ...Object.entries(pair.tags ?? {}).map(([name, value]) => `${words(name)} ${plain(value)}`)].filter(Boolean);
    return el("header", {}, this.heading, el("p", {}, el("span", { class: `chip ${pair.result}`, text: pair.result }), ` ${facts.join(" · ")}`));
  }

  bar() {
    const button = (text, title, act) => el("button", { type: "button", title, onclick: act }, text);
    this.both = button("Play both", "play both sessions (space)", () => this.toggle());
    const speed = el("select", { id: "speed", onchange: () => this.players.forEach((player) => { player.speed = Number(speed.value); }) },
      [0.5, 1, 2, 4, 8].map((value) => el("option", { value, selected: value === 1, text: `${value} ×` })));
    return el("nav", { class: "toolbar", "aria-label": "both sessions" },
      el("a", { href: "#", class: "button", text: "← All pairs" }),
      button("Previous pair", "previous pair (k)", () => neighbour(-1)), button("Next pair", "next pair (j)", () => neighbour(1)),
      button("Turn back", "one turn back (p)", () => this.step(-1)), button("Next turn", "next turn (n)", () => this.step(1)),
      this.both, el("label", { for: "speed" }, el("span", { text: "Speed" }), speed), this.turnLabel);
  }

  side(arm) {
    const trial = this.pair[arm];
    const head = trial
      ? [el("p", {}, outcomeChip(trial), ` ${plain(trial.reason)}`), el("p", { class: "muted", text: trialFacts(trial) }), metricChips(trial)]
      : [el("p", {}, outcomeChip(null))];
    return el("article", { class: "side", "aria-labelledby": `side-${arm}` },
      el("h3", { id: `side-${arm}` }, arm, el("small", { class: "foreign", text: ` ${plain(state.report.arms[arm].model ?? "")}` })), ...head, this.sides[arm]);
  }

  async load() {
    for (const arm of ["base", "tuned"]) {
      let session = null, failed = "";
      try {
        session = await sessionOf(this.pair, arm);
      } catch (error) {
        failed = ` (${plain(error.message)})`;
      }
      this.sides[arm].replaceChildren(...(session ? this.playing(arm, session) : [el("p", { class: "muted", text: absence(this.pair[arm]) + failed })]));
    }
    this.show();
  }

  playing(arm, session) {
    const player = new Player(arm, session, (turn) => this.goto(turn));
    this.players.push(player);
    const notes = [
      session.left_out ? `${session.left_out.toLocaleString("en")} characters of this session are left out of the page.` : null,
      session.recorded ? null : "There is no recording: this is made from the turns.",
      session.end ? null : "The session was cut short.",
    ].filter(Boolean);
    return [player.screen, player.controls, ...notes.map((text) => el("p", { class: "muted", text })), player.list];
  }

  get lastTurn() {
    return Math.max(0, ...this.players.map((player) => player.lastTurn));
  }

  /** Stand at a turn, and say so in the address. */
  goto(turn) {
    history.replaceState(null, "", hashOf(this.pair.id, turn));
    this.turn = turn;
    this.show();
  }

  step(by) {
    const from = this.turn ?? (by < 0 ? this.lastTurn + 1 : this.lastTurn);
    this.goto(Math.max(0, Math.min(from + by, this.lastTurn)));
  }

  show() {
    if (this.turn !== null) this.turn = Math.min(this.turn, this.lastTurn);
    for (const player of this.players) {
      if (this.turn === null) player.seek(player.length);
      else player.seekTurn(this.turn);
    }
    this.turnLabel.textContent = this.turn === null ? `${plural(this.lastTurn, "turn")}` : `turn ${this.turn} of ${this.lastTurn}`;
  }

  toggle() {
    if (this.players.some((player) => player.playing)) this.players.forEach((player) => player.pause());
    else {
      for (const player of this.players) {
        if (this.turn === null) player.seek(0);
        player.play();
      }
      this.turn = null;
    }
  }

  close() {
    this.players.forEach((player) => player.pause());
  }
}

function absence(trial) {
  if (!trial) return "This trial has not run.";
  if (page.live) return "No session was recorded.";
  return "This session is not in this page: none was recorded, or it was left out for size; `evalh view` on the run directory shows all.";
}

function trialFacts(trial) {
  return [
    trial.terminal ? `ended by ${words(trial.terminal)}${trial.exit_status === null ? "" : ` with status ${trial.exit_status}`}` : "no end was reached",
    trial.panic_reason ? `panic: ${plain(trial.panic_reason)}` : null, plural(trial.turns, "turn"), `${number(trial.seconds)} s`,
    trial.completion_tokens === null ? null : plural(trial.completion_tokens, "reply token"), trial.attempt > 1 ? `attempt ${trial.attempt}` : null,
  ].filter(Boolean).join(" · ");
}

/** What a trial's metrics say; in one where lower is better, "no" is the good word. */
function metricChips(trial) {
  const lower = new Set(state.report.metrics.filter((metric) => metric.better === "lower").map((metric) => metric.name));
  const known = Object.entries(trial.metrics).filter(([, value]) => typeof value === "boolean");
  const chip = ([name, value]) => (lower.has(name)
    ? el("li", { class: value ? "no" : "yes", text: value ? `× ${words(name)}` : `✓ no ${words(name)}` })
    : el("li", { class: value ? "yes" : "no", text: value ? `✓ ${words(name)}` : `× ${words(name)}` }));
  return el("ul", { class: "chips", "aria-label": "metrics" }, known.map(chip));
}
