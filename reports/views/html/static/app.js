// The page: which view is open, the address that says so, keys, light and dark, and news of a run that goes on.

const app = document.getElementById("app");
const view = { overview: null, duel: null, scroll: 0, opener: "table.pairs", pairs: new PairsView(), breakdown: new Breakdown(), keys: true };
const THEMES = ["auto", "light", "dark"];

/** The address of a pair, and of a turn in it. */
function hashOf(id, turn = null) {
  return `#pair=${encodeURIComponent(id)}${turn === null ? "" : `&turn=${turn}`}`;
}

function address() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const turn = /^\d{1,6}$/.test(asked.get("turn") ?? "") ? Number(asked.get("turn")) : null;
  return { id: asked.get("pair"), turn };
}

// -- views

function masthead() {
  const theme = el("button", { type: "button", id: "theme", title: "light or dark (t)", onclick: nextTheme });
  const help = el("button", { type: "button", title: "keys (?)", onclick: () => helpDialog().showModal() }, "Keys");
  return el("header", { class: "masthead" }, el("h1", {}, "Paired report ", el("span", { class: "foreign", text: plain(state.report.run.id) })),
    el("div", { class: "tools" }, help, theme), el("div", { id: "progress" }));
}

function overview() {
  const report = state.report;
  return [verdict(report), claims(report),
    el("section", {}, el("h2", { text: "Metrics" }), forest(report), view.breakdown.node),
    view.pairs.node, arms(report), measures(report), repeats(report), calibration(report), stopped(report),
    el("section", { "aria-labelledby": "small-print" }, el("h2", { id: "small-print", text: "Small print" }),
      page.left_out ? el("p", { text: page.left_out }) : null, excluded(report), notes(report), about(report))].filter(Boolean);
}

function refresh() {
  view.pairs.refresh();
  view.breakdown.refresh();
}

function build() {
  view.main = el("main", { id: "main" });
  app.replaceChildren(masthead(), view.main);
  refresh();
  showTheme();
  showProgress();
  route();
}

function route() {
  const { id, turn } = address();
  const pair = id === null ? undefined : state.byId.get(id);
  if (pair && view.duel?.pair.id === id) {
    view.duel.turn = turn;
    view.duel.show();
    return;
  }
  const before = view.duel;
  if (before) before.close();
  else {
    view.scroll = scrollY;
    view.opener = document.activeElement?.closest(".glance") ? ".glance" : "table.pairs";
  }
  view.duel = pair ? new Duel(pair, turn) : null;
  document.title = pair ? `${plain(id)} – ${plain(state.report.run.id)}` : `Paired report ${plain(state.report.run.id)}`;
  if (view.duel) {
    view.main.replaceChildren(view.duel.node);
    scrollTo(0, 0);
    view.duel.heading.focus({ preventScroll: true });
  } else {
    const missing = id === null ? [] : [el("p", { class: "warning", role: "alert", text: `This report has no pair ${plain(id)}.` })];
    view.main.replaceChildren(...missing, ...overview());
    if (before) {
      scrollTo(0, view.scroll);
      focusPair(view.opener, hashOf(before.pair.id));
    }
  }
}

/** Put the focus on a pair's link, in the grid or in the table. */
function focusPair(place, href) {
  view.pairs.node.querySelector(`${place} a[href="${CSS.escape(href)}"]`)?.focus({ preventScroll: true });
}

/** Go to the pair before or after the open one, in the order of the table. */
function neighbour(by) {
  const at = state.shown.findIndex((pair) => pair.id === view.duel.pair.id);
  const next = state.shown[at < 0 ? 0 : at + by];
  if (next) location.hash = hashOf(next.id);
}

function moveFocus(by) {
  const links = [...view.pairs.body.querySelectorAll("a")];
  const at = links.indexOf(document.activeElement);
  links[Math.max(0, Math.min(at + by, links.length - 1))]?.focus();
}

// -- keys

const KEYS = [
  ["j, k", "next and previous pair (in the list: move along it)"], ["n, p", "next and previous turn of both sessions"],
  ["space", "play or pause both"], ["0 … 9", "turn 0 (the landing) to 9"], ["e", "the end of both sessions"],
  ["Escape", "back to all pairs"], ["/", "search"], ["t", "light, dark, or as the system has it"], ["?", "this list"],
];

function helpDialog() {
  let dialog = document.getElementById("help");
  if (dialog) return dialog;
  const single = el("input", { type: "checkbox", id: "single", checked: true, onchange: (event) => { view.keys = event.target.checked; } });
  dialog = el("dialog", { id: "help", "aria-labelledby": "help-title" }, el("h2", { id: "help-title", text: "Keys" }),
    el("dl", {}, KEYS.map(([key, what]) => el("div", {}, el("dt", {}, el("kbd", { text: key })), el("dd", { text: what })))),
    el("p", {}, single, " ", el("label", { for: "single", text: "Single keys do these things" })),
    el("form", { method: "dialog" }, el("button", { text: "Close" })));
  app.append(dialog);
  return dialog;
}

function pressed(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (typing(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const { duel } = view;
  const act = event.key === "Escape" && duel ? () => { location.hash = ""; } : view.keys ? single(event, duel) : null;
  if (!act) return;
  event.preventDefault();
  act();
}

function single(event, duel) {
  const shared = { t: nextTheme, "?": () => helpDialog().showModal() };
  if (shared[event.key]) return shared[event.key];
  if (!duel) return { j: () => moveFocus(1), k: () => moveFocus(-1), "/": () => view.pairs.search.focus() }[event.key];
  if (/^[0-9]$/.test(event.key)) return () => duel.goto(Math.min(Number(event.key), duel.lastTurn));
  if (event.key === " " && event.target.closest("button, a, summary, input")) return null;
  return { j: () => neighbour(1), k: () => neighbour(-1), n: () => duel.step(1), p: () => duel.step(-1), " ": () => duel.toggle(),
    e: () => { location.hash = hashOf(duel.pair.id); } }[event.key];
}

// -- light and dark

function storedTheme() {
  try {
    return THEMES.includes(localStorage.getItem("evalh-theme")) ? localStorage.getItem("evalh-theme") : "auto";
  } catch {
    return "auto"; // a page without storage of its own
  }
}

function nextTheme() {
  const theme = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("evalh-theme", theme);
  } catch { /* it holds for this visit only */ }
  showTheme();
}

function showTheme() {
  document.getElementById("theme").textContent = `Theme: ${document.documentElement.dataset.theme}`;
}

// -- a run that goes on

function showProgress() {
  const node = document.getElementById("progress");
  const progress = state.progress;
  if (!progress) return;
  const bar = el("progress", { max: progress.planned, value: progress.finished, "aria-label": "finished trials" });
  const running = progress.running.length ? `; now ${progress.running.map((name) => plain(name)).join(", ")}` : "";
  node.replaceChildren(bar, el("p", { text: `${progress.finished} of ${plural(progress.planned, "trial")} finished; ${words(progress.state)}${running}` }));
}

async function watch() {
  const { news, trouble } = await ask();
  if (news) takeIn(news);
  if (trouble) document.getElementById("progress").replaceChildren(el("p", { class: "warning", text: trouble }));
  else if (news || view.trouble) showProgress();
  view.trouble = trouble;
  setTimeout(watch, trouble ? 5000 : 1000); // a server that has ended may come back
}

/** What the server has to say: news, nothing, or why it cannot. */
async function ask() {
  try {
    const answer = await fetch(`data?version=${encodeURIComponent(state.version)}`);
    if (answer.status === 200) return { news: await answer.json() };
    return answer.ok ? {} : { trouble: plain((await answer.text()).trim()) };
  } catch {
    return { trouble: "evalh view no longer answers." };
  }
}

function takeIn(news) {
  state.version = news.version;
  state.progress = news.progress;
  if (!news.report) return;
  const focused = document.activeElement;
  const place = [".glance", "table.pairs"].find((name) => focused?.matches(`${name} a`));
  accept(news.report);
  refresh();
  if (view.duel) renewDuel();
  else redraw();
  if (focused?.isConnected) focused.focus({ preventScroll: true });
  else if (place) focusPair(place, focused.getAttribute("href"));
}

/** The open pair again, where a trial of it has ended since. */
function renewDuel() {
  const { pair, node } = view.duel;
  const now = state.byId.get(pair.id);
  if (!now || ["base", "tuned"].every((arm) => now[arm]?.attempt === pair[arm]?.attempt)) return;
  const within = node.contains(document.activeElement);
  view.duel.close();
  view.duel = new Duel(now, address().turn);
  view.main.replaceChildren(view.duel.node);
  if (within) view.duel.heading.focus({ preventScroll: true });
}

/** The overview with new numbers; the filter and what is folded open stay. */
function redraw() {
  const open = [...view.main.querySelectorAll("details[open] > summary")].map((node) => node.textContent.replace(/\d+/g, ""));
  const keep = view.pairs.node;
  const fresh = overview();
  for (const node of [...view.main.children]) if (node !== keep) node.remove();
  const at = fresh.indexOf(keep);
  keep.before(...fresh.slice(0, at));
  keep.after(...fresh.slice(at + 1));
  for (const node of view.main.querySelectorAll("details > summary")) {
    if (open.includes(node.textContent.replace(/\d+/g, ""))) node.parentElement.open = true;
  }
}

async function start() {
  document.documentElement.dataset.theme = storedTheme();
  accept(JSON.parse(await inflate(document.getElementById("report").textContent)));
  build();
  addEventListener("hashchange", route);
  addEventListener("keydown", pressed);
  document.documentElement.dataset.ready = "yes";
  if (page.live) watch();
}

start().catch((error) => {
  app.replaceChildren(el("p", { class: "warning", role: "alert", text: `This page cannot be shown: ${error.message}. A browser of 2023 or later is needed.` }));
});
