// What the page knows: the report, the run's progress, and sessions that are unpacked when they are asked for.

const page = JSON.parse(document.getElementById("page").textContent);
const packedSessions = new Map(
  [...document.querySelectorAll("script.session")].map((node) => [node.dataset.trial, node]));
const unpackedSessions = new Map();
const KEPT_SESSIONS = 64; // unpacked sessions that are kept

const state = {
  report: null,
  pairs: [], // every pair with what filter and sort need
  byId: new Map(),
  shown: [], // the pairs that pass the filter, in the order of the table
  version: page.version,
  progress: page.progress,
};

async function inflate(base64) {
  const bytes = Uint8Array.from(atob(base64.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).text();
}

/** One trial's session, or null if neither the page nor a server has it. */
async function sessionOf(pair, arm) {
  const trial = pair[arm];
  if (!trial) return null;
  const name = `${pair.scenario}.${arm}.${pair.repeat}`;
  const key = `${name} ${trial.attempt}`;
  if (!unpackedSessions.has(key)) {
    const found = await fetchSession(name, trial.attempt);
    if (found === null) return null;
    if (unpackedSessions.size >= KEPT_SESSIONS) unpackedSessions.delete(unpackedSessions.keys().next().value);
    unpackedSessions.set(key, found);
  }
  return unpackedSessions.get(key);
}

async function fetchSession(name, attempt) {
  const node = packedSessions.get(name);
  if (node) return JSON.parse(await inflate(node.textContent));
  if (!page.live) return null;
  const answer = await fetch(`session?trial=${encodeURIComponent(name)}&attempt=${attempt}`);
  return answer.ok ? answer.json() : null;
}

function pairId(pair) {
  return `${pair.scenario}.${pair.repeat}`;
}

/** Take in a report: the pairs get what the table sorts and filters by. */
function accept(report) {
  state.report = report;
  const named = report.pairs.map((pair) => ({ ...pair, result: resultOf(pair) }));
  state.pairs = named.map((pair) => ({ ...pair, id: pairId(pair), haystack: haystack(pair) }));
  state.byId = new Map(state.pairs.map((pair) => [pair.id, pair]));
}

/** A pair's result; one that only lacks a trial is missing, which the report counts as invalid. */
function resultOf(pair) {
  const trials = [pair.base, pair.tuned];
  const lacks = trials.includes(null) && trials.every((trial) => trial?.outcome !== "INVALID");
  return pair.result === "invalid" && lacks ? "missing" : pair.result;
}

function haystack(pair) {
  const of = (trial) => (trial ? `${trial.outcome} ${trial.terminal ?? ""} ${trial.reason} ${trial.panic_reason}` : "never ran");
  const critical = pair.critical ? "critical" : "";
  const tags = Object.entries(pair.tags ?? {}).map(([name, value]) => `${name}=${value}`).join(" ");
  return `${pairId(pair)} ${pair.archetype ?? ""} ${critical} ${tags} ${pair.result} ${of(pair.base)} ${of(pair.tuned)}`.toLowerCase();
}
