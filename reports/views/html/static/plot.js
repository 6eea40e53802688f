// Interval plots: one line of a forest plot as a small drawing, and the metrics beside their numbers.

const ROOM = 4; // percent of the width kept free at both ends, for the dots

/** A drawing of marks on a scale: `bars` are [low, high, class], `dots` [value, class], `rules` [value, class]. */
function strip(scale, { bars = [], dots = [], rules = [] }, label) {
  const x = (value) => ROOM + ((100 - 2 * ROOM) * (Math.min(Math.max(value, scale[0]), scale[1]) - scale[0])) / (scale[1] - scale[0]);
  const line = (from, to, y1, y2, name) => el("line", {
    x1: from.toFixed(2), x2: to.toFixed(2), y1, y2, class: name, "vector-effect": "non-scaling-stroke" });
  const lane = (i, count) => (count === 1 ? 10 : 6 + (8 * i) / (count - 1));
  return el("svg", { viewBox: "0 0 100 20", preserveAspectRatio: "none", role: "img", "aria-label": label, class: "strip" },
    rules.map(([value, name]) => line(x(value), x(value), 0, 20, `rule ${name}`)),
    bars.map(([low, high, name], i) => line(x(low), x(high), lane(i, bars.length), lane(i, bars.length), `bar ${name}`)),
    dots.map(([value, name], i) => line(x(value), x(value) + 0.001, lane(i, dots.length), lane(i, dots.length), `dot ${name}`)));
}

function direction(metric) {
  const difference = metric.difference;
  if (!difference) return "same";
  const sign = metric.better === "lower" ? -1 : 1;
  const [low, high] = difference.tango.map((limit) => limit * sign).sort((a, b) => a - b);
  return low > 0 ? "better" : high < 0 ? "worse" : "same";
}

const SAID = { better: "tuned is better", worse: "tuned is worse", same: "may be none" };

function differenceStrip(metric, margin) {
  const d = metric.difference;
  if (!d) return el("span", { class: "muted", text: "not measured" });
  const kind = direction(metric);
  const label = `${words(metric.name)}: difference ${points(d.estimate)} points, interval ${interval(d.tango)}; ${SAID[kind]}`;
  const rules = [[-1, "end"], [1, "end"], [0, "zero"], ...(margin ? [[-margin, "margin"]] : [])];
  return strip([-1, 1], { bars: [[...d.tango, kind]], dots: [[d.estimate, kind]], rules }, label);
}

function rateStrip(name, base, tuned) {
  const both = [[base, "base"], [tuned, "tuned"]].filter(([rate]) => rate);
  if (!both.length) return el("span", { class: "muted", text: "not measured" });
  const label = `${words(name)}: ${both.map(([rate, arm]) => `${arm} ${fraction(rate)}`).join(", ")}`;
  return strip([0, 1], {
    bars: both.map(([rate, arm]) => [...rate.wilson, arm]), dots: both.map(([rate, arm]) => [rate.rate, arm]),
    rules: [0, 0.5, 1].map((share) => [share, "end"]),
  }, label);
}

/** A column's head with the marks of its scale: both ends and the middle. */
function scaled(title, ...marks) {
  return [title, el("span", { class: "scale" }, marks.map((mark) => el("span", { text: mark })))];
}

function ratesHead() {
  return scaled("rates ", "0 ", "50 ", "100 %");
}

/** The forest plot: a row for every metric, with its numbers. */
function forest(report) {
  const head = ["metric", "base → tuned", ratesHead(), "difference in points", scaled("tuned minus base ", "−100 ", "0 ", "+100"), "p", "won : lost", "tuned wins more"];
  const rows = report.metrics.map((metric) => {
    const d = metric.difference;
    const [won, lost] = metric.better === "lower"
      ? [metric.pairs.base_only, metric.pairs.tuned_only] : [metric.pairs.tuned_only, metric.pairs.base_only];
    return el("tr", { class: metric.name === "success" ? "main" : null },
      el("th", { scope: "row" }, el("span", { title: plain(metric.question), text: words(metric.name) }),
        metric.better === "lower" ? el("small", { text: " lower is better" }) : null),
      el("td", { class: "numbers", text: `${fraction(metric.base)} → ${fraction(metric.tuned)}` }),
      el("td", { class: "plot" }, rateStrip(metric.name, metric.base, metric.tuned)),
      el("td", { class: "numbers", text: d ? `${points(d.estimate)} ${interval(d.tango)}` : DASH }),
      el("td", { class: "plot" }, differenceStrip(metric, marginOf(report, metric))),
      el("td", { class: "numbers", text: metric.test ? pText(metric.test.p) : DASH }),
      el("td", { class: "numbers", text: metric.pairs.n ? `${won} : ${lost}` : DASH }),
      el("td", { class: "numbers", text: percent(metric.win_odds?.probability_better) }));
  });
  return [table("forest", "Metrics, tuned against base, with intervals", head, rows), el("p", { class: "muted", text: readingOf(report) })];
}

/** The margin that a claim of the policy states for a metric, on its scale; null for none. */
function marginOf(report, metric) {
  const found = (report.findings ?? []).find((one) => one.metric === metric.name && one.margin && !one.archetype && !one.critical);
  return found ? found.margin * (metric.better === "lower" ? -1 : 1) : null;
}

function readingOf(report) {
  const level = Math.round(100 * report.run.level);
  const smallest = report.metrics.find((one) => one.name === "success")?.test?.smallest_detectable ?? null;
  return [`Bars are ${level} % intervals: Wilson's for rates (base grey above, tuned below), Tango's for the difference, tuned minus base.`,
    "A dashed rule is the margin of a claim. Tuned wins more: the probability of it, from the pairs that only one arm gets right.",
    smallest === null ? "" : `A run of this size finds a difference in success of ${Math.round(100 * smallest)} points in 8 cases of 10; a smaller one is often missed.`,
  ].filter(Boolean).join(" ");
}

/** A metric by archetype or by an axis of the scenarios: the reader chooses which. */
class Breakdown {
  constructor() {
    this.metric = el("select", { id: "by-metric", onchange: () => this.draw() });
    this.axis = el("select", { id: "by-axis", onchange: () => this.draw() });
    this.body = el("div");
    this.node = el("div", {}, el("h3", { text: "By kind of scenario" }), el("div", { class: "filter" },
      el("label", { for: "by-metric" }, el("span", { text: "Metric" }), this.metric),
      el("label", { for: "by-axis" }, el("span", { text: "By" }), this.axis)), this.body);
  }

  refresh() {
    const { metrics } = state.report;
    options(this.metric, metrics.map((metric) => metric.name), this.metric.value || "success");
    const axes = new Set(metrics.flatMap((metric) => (metric.by_axis ?? []).map((row) => row.axis)));
    options(this.axis, ["archetype", ...axes], this.axis.value || "archetype");
    this.draw();
  }

  draw() {
    const metric = state.report.metrics.find((one) => one.name === this.metric.value);
    if (!metric) return;
    const found = this.axis.value === "archetype"
      ? metric.by_archetype.map((row) => ({ ...row, value: row.archetype }))
      : (metric.by_axis ?? []).filter((row) => row.axis === this.axis.value);
    const [won, lost] = metric.better === "lower" ? ["base_only", "tuned_only"] : ["tuned_only", "base_only"];
    const rows = found.map((row) => el("tr", {},
      el("th", { scope: "row", class: "foreign", text: plain(row.value) }),
      el("td", { class: "numbers", text: `${fraction(row.base)} → ${fraction(row.tuned)}` }),
      el("td", { class: "plot wide" }, rateStrip(row.value, row.base, row.tuned)),
      el("td", { class: "numbers", text: `${row.pairs[won]} : ${row.pairs[lost]}` })));
    const caption = `${words(metric.name)} by ${words(this.axis.value)}`;
    const clustered = (metric.clustered ?? []).filter((one) => one.by === "scenario" || this.axis.value === "archetype");
    this.body.replaceChildren(table("forest", caption, ["kind", "base → tuned", ratesHead(), "won : lost"], rows),
      ...clustered.map((one) => el("p", { class: "muted", text:
        `Clustered by ${one.by} (${plural(one.clusters, "cluster")}): ${words(one.conclusion)}; ${plain(one.reason)}.` })));
  }
}

/** A table that can be scrolled sideways by keyboard where the window is narrow. */
function table(name, caption, head, rows) {
  return el("div", { class: "sideways", tabindex: 0, role: "region", "aria-label": caption },
    el("table", { class: name }, el("caption", { text: caption }),
      el("thead", {}, el("tr", {}, head.map((title) => el("th", { scope: "col" }, title)))), el("tbody", {}, rows)));
}
