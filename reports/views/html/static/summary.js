// The decision and why: verdict, claims, arms, what the numbers rest on.

const VERDICTS = { pass: "Pass", fail: "Fail", inconclusive: "Inconclusive" };
const ADVICE = { promote_to_stage: "promote to stage", hold: "hold", await_paired_eval: "await a paired evaluation" };
const STATUS = { met: "met", not_met: "not met", refuted: "refuted", undecidable: "cannot be decided" };
const PLAYERS = { always_exit: "exits at once", always_panic: "panics at once", prose: "talks prose", reference: "reference replies" };

function verdict(report) {
  const { pairwise } = report;
  const [missing, unneeded] = ["missing", "stopped"].map((result) => state.pairs.filter((pair) => pair.result === result).length);
  const counts = [...["wins", "losses", "ties"].map((name) => [name, pairwise[name]]), ["invalid", pairwise.invalid - missing],
    ...[["missing", missing], ["not needed", unneeded]].filter(([, count]) => count)];
  return el("section", { class: `verdict ${report.gate_result}`, "aria-labelledby": "decision" },
    el("h2", { id: "decision" }, el("span", { class: "badge", text: VERDICTS[report.gate_result] ?? words(report.gate_result) }), " ",
      ADVICE[report.promotion_recommendation] ?? words(report.promotion_recommendation)),
    report.scoring.mode === "fixture"
      ? el("p", { class: "warning", text: "A script answered, not a model: these numbers say nothing about a model." }) : null,
    el("ul", { class: "why" }, whyOf(report).map((sentence) => el("li", { text: plain(sentence) }))),
    el("dl", { class: "counts" }, counts.map(([name, count]) =>
      el("div", { class: name }, el("dt", { text: name }), el("dd", { text: count }))),
      el("div", {}, el("dt", { text: "tuned succeeds" }), el("dd", { text: percent(report.aggregate_score) })),
      report.critical_pass_rate === null ? null
        : el("div", {}, el("dt", { text: "on critical" }), el("dd", { text: percent(report.critical_pass_rate) }))));
}

/** The rationale without the sentences that the table of claims says. */
function whyOf(report) {
  const told = (report.findings ?? []).map((found) => found.sentence);
  const rest = report.rationale.filter((sentence) => !told.some((one) => sentence.endsWith(one)));
  return rest.length ? rest : report.rationale;
}

function claims(report) {
  const findings = report.findings ?? [];
  if (!findings.length) return null;
  const rows = findings.map((found) => el("tr", { class: `claim ${found.status}` },
    el("td", {}, el("span", { class: "status", text: STATUS[found.status] ?? words(found.status) })),
    el("td", { text: words(found.tier) }),
    el("td", { class: "sentence", text: plain(found.sentence) }),
    el("td", { class: "numbers", text: pText(found.p) }),
    el("td", { class: "numbers", text: pText(found.p_holm) })));
  const name = report.policy ? `Claims of the policy ${plain(report.policy)}` : "Claims of the policy";
  return el("section", {}, el("h2", { text: "Claims" }), table("claims", name, ["status", "tier", "claim", "p", "p, Holm"], rows));
}

function arms(report) {
  const rows = ["base", "tuned"].map((arm) => {
    const of = report.arms[arm];
    return el("tr", {}, el("th", { scope: "row", text: arm }), el("td", { class: "foreign", text: of.model === null ? DASH : plain(of.model) }),
      ...[of.passed, of.failed, of.invalid, of.median_turns, of.median_seconds, of.median_prompt_tokens, of.median_completion_tokens]
        .map((value) => el("td", { class: "numbers", text: number(value) })));
  });
  const head = ["arm", "model", "passed", "failed", "invalid", "turns", "seconds", "prompt tokens", "reply tokens"];
  return el("section", {}, el("h2", { text: "Arms" }), table("arms", "Trials by outcome; medians over valid pairs", head, rows));
}

function measures(report) {
  const found = report.measures ?? [];
  if (!found.length) return null;
  const rows = found.map((measure) => el("tr", {},
    el("th", { scope: "row" }, el("span", { title: plain(measure.question), text: words(measure.name) })),
    el("td", { class: "numbers", text: `${number(measure.base_median)} → ${number(measure.tuned_median)}` }),
    el("td", { class: "numbers", text: number(measure.shift, 2) }),
    el("td", { class: "numbers", text: measure.interval ? `[${measure.interval.map((limit) => number(limit, 2)).join(", ")}]` : DASH }),
    el("td", { class: "numbers", text: pText(measure.p) }),
    el("td", { class: "numbers", text: measure.n })));
  return el("section", {}, el("h2", { text: "Effort" }),
    table("measures", "What a session costs, tuned against base", ["measure", "medians, base → tuned", "shift", "interval", "p", "pairs"], rows));
}

function repeats(report) {
  const found = report.repeats;
  if (!found || !(found.base && found.tuned)) return null;
  const rows = found.base.pass_k.map((row, i) => {
    const other = found.tuned.pass_k[i];
    return el("tr", {}, el("th", { scope: "row", text: row.k }),
      ...[row.pass_at, other?.pass_at, row.pass_hat, other?.pass_hat].map((share) => el("td", { class: "numbers", text: percent(share) })));
  });
  return el("section", {}, el("h2", { text: "Repeats" }), table("repeats", "Success in at least one and in all of k repeats",
    ["k", "base, at least one", "tuned, at least one", "base, all", "tuned, all"], rows));
}

function calibration(report) {
  const found = report.calibration ?? [];
  if (!found.length) return null;
  const names = [...new Set(found.flatMap((row) => Object.keys(row.rates)))];
  const rows = found.map((row) => el("tr", {}, el("th", { scope: "row", text: PLAYERS[row.player] ?? words(row.player) }),
    ...names.map((name) => el("td", { class: "numbers", text: fraction(row.rates[name]) }))));
  const notes = found.filter((row) => row.note).map((row) => el("p", { class: "muted", text: `${words(row.player)}: ${plain(row.note)}` }));
  return el("section", {}, el("h2", { text: "Calibration" }),
    table("calibration", "What the metrics give to players that cannot think", ["player", ...names.map(words)], rows), notes);
}

function stopped(report) {
  const sentences = report.stopped?.sentences ?? [];
  if (!sentences.length) return null;
  return el("section", {}, el("h2", { text: "Early stop" }), el("ul", {}, sentences.map((text) => el("li", { text: plain(text) }))));
}

function excluded(report) {
  if (!report.exclusions.length) return null;
  const items = report.exclusions.slice(0, 500).map((one) => el("li", {},
    el("a", { href: hashOf(pairId(one)), class: "foreign", text: plain(pairId(one)) }), " ",
    one.causes.map((cause) => `${cause.arm} ${cause.kind}${cause.failed_part ? ` (${plain(cause.failed_part)})` : ""}: ${plain(cause.reason)}`).join("; ")));
  const more = report.exclusions.length - items.length;
  return el("details", {}, el("summary", { text: `Excluded, counted neither for nor against: ${plural(report.exclusions.length, "pair")}` }),
    el("ul", {}, items), more > 0 ? el("p", { text: `and ${more} more` }) : null);
}

function about(report) {
  const { run, scoring, parity } = report;
  const facts = [
    ["run", run.id], ["started", run.started_at], ["finished", run.finished_at], ["evalh", run.evalh_version], ["engine", run.engine],
    ["seed", run.seed], ["temperature", run.temperature], ["repeats", run.repeats], ["planned pairs", run.planned_pairs],
    ["confidence level", run.level], ["report schema", report.schema_version], ["scoring", scoring.mode],
    ["may be promoted", scoring.promotion_eligible ? "yes" : "no"],
    ["prompts compared", parity ? `${parity.agreed} of ${parity.prompts} agreed, by ${words(parity.level)}` : null],
    ...Object.entries(run.digests).map(([name, digest]) => [words(name), digest]),
  ].filter(([, value]) => value !== null && value !== undefined);
  return el("details", {}, el("summary", { text: "About this run" }),
    el("dl", { class: "facts" }, facts.map(([name, value]) => el("div", {}, el("dt", { text: plain(name) }), el("dd", { text: plain(value) })))));
}

function notes(report) {
  const said = [...report.scoring.notes, ...(report.parity?.differences ?? [])];
  return said.length ? el("details", { open: said.length < 6 }, el("summary", { text: plural(said.length, "note") }),
    el("ul", {}, said.map((note) => el("li", { text: plain(note) })))) : null;
}
