// All pairs: the filter, the grid that shows wins and losses at a glance, and the table that can be sorted.

const RESULTS = ["win", "loss", "tie", "invalid", "missing", "stopped"];
const RANK = Object.fromEntries(RESULTS.map((name, i) => [name, i]));
const SIGN = { PASS: "✓", FAIL: "×", INVALID: "?", null: "·" };
const TILES = 4000; // pairs that the grid draws
const ROWS = 100; // rows of the table that are drawn at first, and that "more" adds

const filter = { text: "", result: "", archetype: "", critical: false, sort: "pair", down: false, rows: ROWS };

const COLUMNS = [
  ["pair", (pair) => pair.order],
  ["archetype", (pair) => pair.archetype ?? ""],
  ["result", (pair) => RANK[pair.result] ?? 9],
  ["base", (pair) => outcomeOf(pair.base)],
  ["tuned", (pair) => outcomeOf(pair.tuned)],
  ["base ended", (pair) => pair.base?.terminal ?? ""],
  ["tuned ended", (pair) => pair.tuned?.terminal ?? ""],
  ["turns", (pair) => pair.tuned?.turns ?? -1],
  ["seconds", (pair) => pair.tuned?.seconds ?? -1],
  ["reply tokens", (pair) => pair.tuned?.completion_tokens ?? -1],
];

function outcomeOf(trial) {
  return trial ? trial.outcome : "null";
}

/** The pairs that the filter lets through, sorted; the given order breaks ties. */
function choose() {
  const wanted = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = state.pairs.filter((pair) =>
    (!filter.result || pair.result === filter.result)
    && (!filter.archetype || pair.archetype === filter.archetype)
    && (!filter.critical || pair.critical)
    && wanted.every((word) => pair.haystack.includes(word)));
  const value = COLUMNS.find(([name]) => name === filter.sort)[1];
  const sign = filter.down ? -1 : 1;
  found.sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    return (x < y ? -1 : x > y ? 1 : 0) * sign || a.order - b.order;
  });
  state.shown = found;
}

class PairsView {
  constructor() {
    this.search = el("input", { type: "search", id: "search", placeholder: "words in any column", autocomplete: "off",
      oninput: () => this.change({ text: this.search.value }) });
    this.result = el("select", { id: "result", onchange: () => this.change({ result: this.result.value }) });
    this.archetype = el("select", { id: "archetype", onchange: () => this.change({ archetype: this.archetype.value }) });
    this.critical = el("input", { type: "checkbox", id: "critical", onchange: () => this.change({ critical: this.critical.checked }) });
    this.count = el("p", { class: "count", role: "status" });
    this.grid = el("div", { class: "glance" });
    this.body = el("tbody");
    this.head = el("tr", {}, COLUMNS.map(([name]) => el("th", { scope: "col", "data-column": name },
      el("button", { type: "button", onclick: () => this.sort(name) }, name))));
    this.more = el("button", { type: "button", class: "more", onclick: () => { filter.rows += ROWS; this.rows(); } });
    this.node = el("section", { "aria-labelledby": "pairs" }, el("h2", { id: "pairs", text: "Pairs" }), this.form(), this.count,
      el("button", { type: "button", class: "skip", onclick: () => this.body.querySelector("a")?.focus() }, "Skip the grid"), this.grid, legend(),
      el("div", { class: "sideways", tabindex: 0, role: "region", "aria-label": "table of pairs" },
        el("table", { class: "pairs" }, el("caption", { text: "Pairs, by filter and sort" }), el("thead", {}, this.head), this.body)),
      this.more);
  }

  form() {
    const field = (label, control) => el("label", { for: control.id }, el("span", { text: label }), control);
    return el("form", { class: "filter", role: "search", onsubmit: (event) => event.preventDefault() },
      field("Search", this.search), field("Result", this.result), field("Archetype", this.archetype),
      field("Critical only", this.critical));
  }

  /** Show the report as it now is; what the reader chose stays chosen. */
  refresh() {
    state.pairs.forEach((pair, i) => { pair.order = i; });
    options(this.result, ["", ...RESULTS.filter((name) => state.pairs.some((pair) => pair.result === name))], filter.result);
    options(this.archetype, ["", ...new Set(state.pairs.map((pair) => pair.archetype).filter(Boolean))].sort(), filter.archetype);
    Object.assign(filter, { result: this.result.value, archetype: this.archetype.value }); // what is no more cannot stay chosen
    this.draw();
  }

  change(changes) {
    Object.assign(filter, changes, { rows: ROWS });
    this.draw();
  }

  sort(name) {
    this.change({ down: filter.sort === name && !filter.down, sort: name });
  }

  draw() {
    choose();
    const all = state.pairs.length;
    this.count.textContent = state.shown.length === all ? plural(all, "pair") : `${state.shown.length} of ${plural(all, "pair")}`;
    for (const cell of this.head.children) {
      if (cell.dataset.column === filter.sort) cell.setAttribute("aria-sort", filter.down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    }
    this.glance();
    this.rows();
  }

  glance() {
    const groups = new Map();
    const drawn = state.shown.slice(0, TILES).sort((a, b) => a.order - b.order);
    for (const pair of drawn) {
      const name = pair.archetype ?? "not known";
      if (!groups.has(name)) groups.set(name, new Map());
      const scenarios = groups.get(name);
      if (!scenarios.has(pair.scenario)) scenarios.set(pair.scenario, []);
      scenarios.get(pair.scenario).push(pair);
    }
    const left = state.shown.length - drawn.length;
    this.grid.replaceChildren(
      ...[...groups].map(([name, scenarios]) => el("div", { class: "group" }, el("h3", { text: plain(name) }),
        el("ul", { class: "tiles" }, [...scenarios.values()].map((pairs) => el("li", {},
          pairs.length > 1 ? el("small", { class: "foreign", title: plain(pairs[0].scenario), text: plain(pairs[0].scenario) }) : null, pairs.map(tile)))))),
      ...(left > 0 ? [el("p", { text: `The grid shows the first ${TILES}; ${plural(left, "pair")} more: narrow the filter to see them.` })] : []));
  }

  rows() {
    const shown = state.shown.slice(0, filter.rows);
    this.body.replaceChildren(...shown.map(row));
    const left = state.shown.length - shown.length;
    this.more.hidden = left <= 0;
    this.more.textContent = `Show ${Math.min(ROWS, left)} more of ${left}`;
  }
}

function options(select, values, chosen) {
  const known = [...select.options].map((option) => option.value).join("\n");
  if (select.options.length && known === values.join("\n")) return;
  select.replaceChildren(...values.map((value) => el("option", { value, text: value ? words(value) : "any" })));
  select.value = values.includes(chosen) ? chosen : values[0];
}

function tile(pair) {
  const said = `${plain(pair.id)}: ${pair.result}; base ${outcomeOf(pair.base)}, tuned ${outcomeOf(pair.tuned)}`.replaceAll("null", "not run");
  return el("a", { class: `tile ${pair.result}`, href: hashOf(pair.id), title: said, "aria-label": said },
    half(pair.base), half(pair.tuned));
}

function half(trial) {
  const outcome = outcomeOf(trial);
  return el("span", { class: `half ${outcome}`, "aria-hidden": "true", text: SIGN[outcome] });
}

function legend() {
  const item = (name, text) => el("li", {}, el("span", { class: `tile ${name}`, "aria-hidden": "true" },
    ...({ win: ["FAIL", "PASS"], loss: ["PASS", "FAIL"], tie: ["PASS", "PASS"], invalid: ["INVALID", "PASS"] }[name])
      .map((outcome) => half({ outcome }))), ` ${text}`);
  return el("ul", { class: "legend", "aria-label": "legend of the grid" }, item("win", "win"), item("loss", "loss"),
    item("tie", "tie"), item("invalid", "invalid"), el("li", { text: "base above, tuned below: ✓ pass, × fail, ? invalid, · not run" }));
}

function row(pair) {
  const cell = (text, name = null) => el("td", { class: name, text });
  return el("tr", {}, el("th", { scope: "row" }, el("a", { href: hashOf(pair.id), class: "foreign", text: plain(pair.id) }),
    pair.critical ? el("small", { class: "critical", text: " critical" }) : null),
    cell(plain(pair.archetype ?? DASH), "foreign"), el("td", {}, el("span", { class: `chip ${pair.result}`, text: pair.result })),
    ...["base", "tuned"].map((arm) => el("td", {}, outcomeChip(pair[arm]))),
    ...["base", "tuned"].map((arm) => cell(pair[arm]?.terminal ? words(pair[arm].terminal) : DASH)),
    ...["turns", "seconds", "completion_tokens"].map((name) => cell(`${number(pair.base?.[name])} → ${number(pair.tuned?.[name])}`, "numbers")));
}

function outcomeChip(trial) {
  const outcome = outcomeOf(trial);
  return el("span", { class: `outcome ${outcome}`, text: trial ? `${SIGN[outcome]} ${outcome}` : "not run" });
}
