// The page: one session, the last view that the node told, and at most one move under way.
//
// A move is shown at once, and sent with its number. The answer brings the day's next tile. The
// page never handles a broken connection; and if a server is lost with its sessions, it logs in
// again and sends the move again, with the same number: whether or not it was written, it counts
// once.

import { connect } from "/throughline/client.js";

import { Board } from "./board.js";

const STORAGE_KEY = "puzzle";
const NAME_KEY = "puzzle-name";
const DAY_MS = 86_400_000;
/** Moves that a quick hand may be ahead. */
const AHEAD_MAX = 3;
/** Others play, too: the ranking is looked at so often, while the page is seen. */
const LOOK_EVERY_MS = 5_000;
const AGAIN_AFTER_MS = 2_000;
/** Logins in a row without an answer, until the player is asked. */
const LOGINS_MAX = 3;
/** Ends of a session that is lost while its player's progress is not: Expired, HandlerFailed,
 * Lost, NodeStopped, Unknown. */
const LOST = [102, 106, 109, 112, 300];
const ENDED = {
  101: "",
  107: "You play on in another window.",
  202: "You play on in another tab.",
};
const KEYS = {
  ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down",
  a: "left", d: "right", w: "up", s: "down",
};
const COUNTERS = ["sent", "received", "repairs"];

const $ = (id) => document.getElementById(id);
const part = (name) => document.querySelector(`[data-testid="${name}"]`);

let session;
let view;
let name = "";
/** The move that was asked for and not yet answered, and those that wait behind it. */
let asked = null;
let ahead = [];
/** The session is new: the move under way may not have been heard of. */
let asksAgain = false;
let logins = 0;

const board = new Board($("board"), play);

/** Opens a session, or resumes the one that was stored before a reload. */
function open() {
  session?.leave();
  session = undefined;
  logins += 1;
  try {
    session = connect({
      kind: "puzzle", login: { name }, codec: "json",
      storage: sessionStorage, storageKey: STORAGE_KEY,
    });
  } catch (error) {
    // This browser, or a page on plain http, lacks what a session needs.
    note(`Sorry: ${error.message}.`);
    return;
  }
  const mine = session;
  /** Listens until another session takes over. */
  const on = (event, listener) => mine.on(event, (value) => {
    if (mine === session) listener(value);
  });
  link("repairing", "connecting");
  on("open", ({ resumed }) => {
    link("live", "connected");
    // A page that was loaded again knows nothing; a new session tells its view by itself.
    if (resumed) tell({ ask: "look" });
    else asksAgain = true;
  });
  on("message", hear);
  on("repairStarted", () => link("repairing", "repairing the connection"));
  on("repaired", () => link("live", "connected"));
  on("restarting", () => link("repairing", "the server restarts"));
  on("repairFailed", () => link("failed", "the connection is broken"));
  on("ended", ended);
  on("stats", (stats) => {
    for (const counter of COUNTERS) part(`counter-${counter}`).textContent = stats[counter];
  });
}

function hear(told) {
  switch (told.tell) {
    case "announced":
      announce(told.text);
      break;
    case "refused":
      refused(told.why);
      break;
    case "view":
      see(told);
      break;
  }
}

function refused(why) {
  if (why === "database") {
    // Nobody knows whether the move was written. It has a number, so it is asked for again.
    note("Your progress cannot be reached just now. Trying again.");
    setTimeout(() => tell(asked ?? { ask: "look" }), AGAIN_AFTER_MS);
    return;
  }
  // The view that follows says how things are.
  asked = null;
  ahead = [];
  note(why === "other-day" ? "A new puzzle has begun." : "");
}

function see(told) {
  logins = 0;
  const waits = asked !== null && told.day === asked.day && told.number < asked.number;
  if (!waits) {
    // The page was loaded again and its player with it, or the answer is there.
    if (asked !== null && told.day !== asked.day) note("A new puzzle has begun.");
    else if (asked !== null) note("");
    asked = null;
  } else if (asksAgain) {
    tell(asked);
  }
  asksAgain = false;
  const { cells, score, steps } = waits ? view : told;
  view = { ...told, cells, score, steps };
  name = view.name;
  if (!waits) board.show(view.cells);
  show();
  if (!waits && ahead.length > 0) play(ahead.shift());
}

function play(motion) {
  if (!session || !view || (view.over && motion !== "start-over")) return;
  if (asked) {
    if (ahead.length < AHEAD_MAX) ahead.push(motion);
    return;
  }
  if (motion !== "start-over") {
    const gain = board.slide(motion);
    if (gain === null) {
      ahead = [];
      return;
    }
    view = { ...view, score: view.score + gain, steps: view.steps + 1 };
    show(gain);
  }
  asked = { ask: "move", day: view.day, number: view.number + 1, motion };
  tell(asked);
}

function tell(message) {
  session?.send(message).catch(() => {
    // The session has ended; `ended` has told the player.
  });
}

function ended({ code, text }) {
  link("none", "not connected");
  session = undefined;
  if (LOST.includes(code) && logins < LOGINS_MAX) {
    note("Your server is gone. You go on at another one, where you were.");
    open();
    return;
  }
  view = undefined;
  asked = null;
  ahead = [];
  board.clear();
  show();
  note(ENDED[code] ?? `Your session has ended${text ? `: ${text}` : ""}.`);
}

// --- what is shown ---------------------------------------------------------------------------

function link(state, words) {
  document.body.dataset.link = state;
  $("dot").setAttribute("aria-label", words);
  $("dot").title = words;
  if (state === "failed") $("question").showModal();
  else $("question").close();
}

function note(text) {
  for (const line of document.querySelectorAll(".note")) line.textContent = text;
}

/** An operator's word stays until it was read. */
function announce(text) {
  $("announcement").querySelector("p").textContent = text;
  $("announcement").hidden = text === "";
}

function show(gain = 0) {
  $("start").hidden = Boolean(view);
  $("game").hidden = !view;
  const screen = view ? "game" : "start";
  if (document.body.dataset.screen !== screen) scrollTo(0, 0);
  document.body.dataset.screen = screen;
  $("node").textContent = view ? `n${view.node}` : "";
  if (!view) return;
  const day = new Date(view.day * DAY_MS);
  const date = { day: "numeric", month: "long", timeZone: "UTC" };
  $("day").textContent = day.toLocaleDateString("en-GB", date);
  count($("score"), view.score);
  count($("best"), Math.max(view.best, view.score));
  count($("steps"), view.steps);
  if (gain > 0) rise(gain);
  $("over").hidden = !view.over;
  $("over").querySelector("span").textContent = overText();
  if (view.over || gain > 0) $("spoken").textContent = view.over ? overText() : `${view.score}`;
  ranking();
  countdown();
}

function overText() {
  const points = `${view.score.toLocaleString("en")} points`;
  return view.score === view.best ? `${points}: your best today.` : `${points}.`;
}

function count(element, value) {
  element.textContent = value.toLocaleString("en");
}

/** What a move scored rises from the score. */
function rise(gain) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const element = document.createElement("i");
  element.textContent = `+${gain}`;
  element.addEventListener("animationend", () => element.remove());
  $("gains").replaceChildren(element);
}

function ranking() {
  const lines = view.ranking.map(([who, best], at) => line(at + 1, who, best));
  if (view.rank > view.ranking.length) lines.push(line(view.rank, view.name, view.best, "apart"));
  $("ranking").replaceChildren(...lines);
  $("ranking").hidden = lines.length === 0;
  $("alone").hidden = lines.length > 0;
  $("players").textContent = view.players > 1 ? `${view.players.toLocaleString("en")} players` : "";
}

function line(rank, who, best, apart = "") {
  const item = document.createElement("li");
  item.className = `${who === view.name ? "me" : ""} ${apart}`;
  item.dataset.testid = "rank";
  for (const text of [rank, who, best.toLocaleString("en")]) {
    item.append(Object.assign(document.createElement("span"), { textContent: text }));
  }
  return item;
}

function countdown() {
  if (!view) return;
  const left = Math.max(0, view.next_ms - (session?.serverTime() ?? Date.now()));
  const seconds = Math.ceil(left / 1000);
  const parts = [seconds / 3600, seconds / 60 % 60, seconds % 60];
  $("countdown").textContent = parts.map((n) => String(Math.floor(n)).padStart(2, "0")).join(":");
}

// --- what the player does --------------------------------------------------------------------

$("start-form").addEventListener("submit", (event) => {
  event.preventDefault();
  name = $("name").value.trim();
  note("");
  localStorage.setItem(NAME_KEY, name);
  logins = 0;
  open();
});
addEventListener("keydown", (event) => {
  const motion = KEYS[event.key];
  const elsewhere = event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input");
  if (!motion || elsewhere || !view || $("question").open) return;
  event.preventDefault();
  play(motion);
});
for (const id of ["start-over", "start-over-at-end"]) {
  $(id).addEventListener("click", () => play("start-over"));
}
$("leave").addEventListener("click", () => session?.leave());
$("cut").addEventListener("click", () => session?.cut());
$("offline").addEventListener("click", () => session?.offline(10_000));
$("dismiss").addEventListener("click", () => announce(""));
$("retry").addEventListener("click", () => {
  link("repairing", "repairing the connection");
  session?.retry();
});
$("give-up").addEventListener("click", () => session?.leave());
// Escape must not close the question: it is answered, or the connection comes back.
$("question").addEventListener("cancel", (event) => event.preventDefault());
setInterval(countdown, 500);
setInterval(() => {
  const rtt = session?.rtt();
  part("counter-rtt").textContent = rtt === undefined ? "-" : `${Math.round(rtt)} ms`;
}, 500);
setInterval(() => {
  if (document.visibilityState === "visible" && session?.state === "live" && !asked) {
    tell({ ask: "look" });
  }
}, LOOK_EVERY_MS);

$("name").value = name = localStorage.getItem(NAME_KEY) ?? "";
show();
if (sessionStorage.getItem(STORAGE_KEY)) open();

/**
 * For tests and the curious. `cells` is what is drawn, row by row: 0 is free, n is 2^n. `asked` is
 * the move that is not answered yet.
 */
window.puzzle = {
  get session() { return session; },
  get view() { return view; },
  get cells() { return board.cells; },
  get asked() { return asked; },
  get rests() { return asked === null && ahead.length === 0 && board.rests; },
  play,
};
