// The page: one session, one view, and what the player does.
//
// Everything drawn follows from `view`, and `view` follows from what the node tells. The page
// never handles a broken connection: it shows a dot, and a question if repair failed.

import { connect } from "/throughline/client.js";

import { Board } from "./board.js";
import { networkPanel } from "./network.js";
import { START, apply, crowd, isMine, next, partner, result, status } from "./view.js";

const STORAGE_KEY = "omok";
const TURN_MS = 30_000;
const HURRY_MS = 10_000;
const CLOCK_EVERY_MS = 100;
const GONE = "Your game is over: the server does not know it any more. It may have restarted.";
/** Why a player is back in the lobby. */
const BACK = {
  "match-closed": "This match was closed: nothing happened in it any more.",
};
/** How long a node's chip shows where the match, or the session, has come from. */
const MOVED_MS = 2600;
/** What the player is told at an end, by its close code; otherwise the text that came with it. */
const ENDED = {
  101: "",
  112: "Your game is over: the server has stopped.",
  202: "Your game goes on in another tab.",
  300: GONE,
};

const $ = (id) => document.getElementById(id);

let session;
let view = START;
let holes = 0;

const board = new Board($("board"), (x, y) => ask(next(view, x, y)), speak);
const network = networkPanel(() => session, ask);

/** Opens a session, or resumes the one that was stored before a reload. */
function open(name) {
  session?.leave();
  session = undefined;
  try {
    session = connect({
      kind: "omok", login: { name }, codec: "json",
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
  on("open", ({ resumed, previous }) => {
    link("live", "connected");
    // A page that was loaded again knows nothing.
    if (resumed) ask({ ask: "look" });
    else network.reset();
    if (previous) note(GONE);
  });
  on("message", hear);
  on("repairStarted", () => link("repairing", "repairing the connection"));
  on("repaired", () => link("live", "connected"));
  on("restarting", () => link("repairing", "the server restarts"));
  on("repairFailed", () => link("failed", "the connection is broken"));
  on("ended", ({ code, text }) => ended(code, text));
  on("stats", network.show);
}

function hear(tell) {
  if (tell.tell === "refused") {
    board.refused();
    // It was asked in a match that had ended with its server meanwhile.
    if (tell.why === "no-game" && view.place !== "game") return;
    if (tell.why === "link-not-simulated") network.reset();
    note(`Sorry: ${tell.text}.`);
    return;
  }
  if (BACK[tell.tell]) {
    note(BACK[tell.tell]);
    return;
  }
  if (tell.tell === "announced") {
    announce(tell.text);
    return;
  }
  // A new session begins with a view of the lobby: why it is new stays readable.
  const inLobby = tell.place === "lobby" && view.place === "lobby";
  if (!inLobby && tell.tell !== "match-moved" && tell.tell !== "crowd") note("");
  view = apply(view, tell, () => {
    holes += 1;
    ask({ ask: "look" });
  });
  show();
}

function ask(message) {
  session?.send(message).catch(() => {
    // The session has ended; `ended` has told the player.
  });
}

function ended(code, text) {
  link("none", "not connected");
  session = undefined;
  view = START;
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
  $("lobby-note").textContent = text;
  $("note").textContent = text;
}

/** An operator's word stays until it was read. */
function announce(text) {
  $("announcement").querySelector("p").textContent = text;
  $("announcement").hidden = text === "";
}

function speak(text) {
  $("spoken").textContent = text;
}

function show() {
  document.body.dataset.screen = view.place;
  at($("node"), view.node, "You are at server");
  at($("match-node"), view.match_node, "Your match goes on at server");
  for (const place of ["lobby", "waiting", "game"]) $(place).hidden = view.place !== place;
  $("crowd").textContent = crowd(view);
  if (view.place === "waiting") showWaiting();
  if (view.place === "game") showGame();
}

/** A node's chip. If it shows another one already, it lets the player see how it moves. */
function at(chip, node, words) {
  const text = node ? `n${node}` : "";
  const from = chip.textContent;
  if (text === from) return;
  chip.textContent = text;
  chip.parentElement.hidden = !node;
  if (!from || !node) return;
  chip.dataset.from = from;
  chip.classList.remove("moved");
  // A move that follows another one at once begins anew.
  void chip.offsetWidth;
  chip.classList.add("moved");
  setTimeout(() => chip.classList.remove("moved"), MOVED_MS);
  speak(`${words} ${text}`);
}

function showWaiting() {
  $("waiting-title").textContent = view.code ? "Waiting for your friend" : "Looking for a partner";
  $("waiting-text").textContent = view.code
    ? "Tell your friend this code. The game begins when it is entered, at whichever server."
    : "The game begins as soon as somebody else looks for one, too.";
  $("code").value = view.code ?? "";
  $("code").hidden = !view.code;
}

function showGame() {
  const over = view.over;
  board.show({
    moves: view.moves,
    row: over?.row ?? [],
    mine: isMine(view) ? view.mine : null,
  });
  seat($("me"), view.mine, view.name, "you");
  seat($("them"), view.mine === "black" ? "white" : "black", partner(view), "");
  $("status").textContent = status(view);
  $("result").hidden = !over;
  $("resign").hidden = Boolean(over);
  $("leave").hidden = !over;
  $("rematch").hidden = !over || view.partner_left;
  $("rematch").disabled = view.rematch === view.mine;
  $("rematch").textContent = view.rematch && view.rematch !== view.mine
    ? "Accept the rematch" : "Rematch";
  if (over) {
    const [headline, why] = result(view);
    $("result").firstElementChild.textContent = headline;
    $("result").lastElementChild.textContent = why;
    $("result").dataset.won = over.winner === view.mine;
    speak(`${headline}. ${why}`);
  }
  showClocks();
}

function seat(card, stone, name, you) {
  card.querySelector(".stone").className = `stone ${stone}`;
  card.querySelector(".name").textContent = name;
  card.querySelector(".name").dataset.you = you;
  card.dataset.stone = stone;
}

function showClocks() {
  if (view.place !== "game") return;
  for (const card of [$("me"), $("them")]) {
    const turn = view.turn?.stone === card.dataset.stone ? view.turn : null;
    const now = session?.serverTime() ?? Date.now();
    const left = turn ? Math.min(TURN_MS, Math.max(0, turn.deadline_ms - now)) : TURN_MS;
    const seconds = Math.ceil(left / 1000);
    const text = `0:${String(seconds).padStart(2, "0")}`;
    const clock = card.querySelector(".clock");
    if (clock.textContent !== text) clock.textContent = text;
    card.classList.toggle("turn", Boolean(turn));
    card.classList.toggle("hurry", Boolean(turn) && left < HURRY_MS);
    card.style.setProperty("--left", turn ? left / TURN_MS : 0);
  }
}

// --- what the player does --------------------------------------------------------------------

$("lobby-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const message = { ask: event.submitter?.value ?? "play-bot" };
  if (message.ask === "join-code") message.code = $("code-input").value;
  const name = $("name").value.trim();
  note("");
  localStorage.setItem("omok-name", name);
  if (session === undefined || view.name !== name) open(name);
  ask(message);
});
// Enter in the code field joins; elsewhere it plays the bot.
$("code-input").addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  $("lobby-form").requestSubmit(document.querySelector('[value="join-code"]'));
});
$("stop-waiting").addEventListener("click", () => ask({ ask: "stop-waiting" }));
$("resign").addEventListener("click", () => ask({ ask: "resign" }));
$("rematch").addEventListener("click", () => ask({ ask: "rematch" }));
$("leave").addEventListener("click", () => ask({ ask: "leave" }));
$("retry").addEventListener("click", () => {
  link("repairing", "repairing the connection");
  session?.retry();
});
$("dismiss").addEventListener("click", () => announce(""));
$("give-up").addEventListener("click", () => session?.leave());
// Escape must not close the question: it is answered, or the connection comes back.
$("question").addEventListener("cancel", (event) => event.preventDefault());
setInterval(showClocks, CLOCK_EVERY_MS);

$("name").value = localStorage.getItem("omok-name") ?? "";
show();
if (sessionStorage.getItem(STORAGE_KEY)) open($("name").value || "player");

/**
 * For tests and the curious. `cell(x, y)` is where on the page a point of the board is; x counts
 * from the left and y from the top, both from 0. `holes` counts moves that were missed: always 0.
 */
window.omok = {
  get session() { return session; },
  get view() { return view; },
  get holes() { return holes; },
  cell: (x, y) => board.cell(x, y),
};
