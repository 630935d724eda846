// What the player sees, made from what the node tells. Pure: no page, no network.

/** The lobby, before anybody has told us anything. */
export const START = { place: "lobby" };

/**
 * The view after a message. Moves are applied one by one, as they come; `hole` is called if a
 * number is missing, which Throughline promises never to let happen.
 */
export function apply(view, tell, hole) {
  switch (tell.tell) {
    case "view": {
      const { tell: _, ...whole } = tell;
      return whole;
    }
    case "placed": {
      if (view.place !== "game" || tell.number <= view.moves.length) return view;
      if (tell.number !== view.moves.length + 1) {
        hole(tell.number);
        return view;
      }
      return { ...view, moves: [...view.moves, tell.at], turn: tell.turn };
    }
    case "over": {
      const { tell: _, ...over } = tell;
      return { ...view, turn: null, over };
    }
    case "rematch-offered":
      return { ...view, rematch: tell.by };
    case "crowd":
      return { ...view, looking: tell.looking };
    case "match-moved":
      return view.place === "game" ? { ...view, match_node: tell.node } : view;
    case "partner-left":
      return { ...view, rematch: null, partner_left: true };
    default:
      return view;
  }
}

/** The colour of the stone with this number, from 0. */
export const stoneOf = (index) => (index % 2 === 0 ? "black" : "white");

/** What is asked to place a stone: with its number, so that asking twice places one. */
export const next = (view, x, y) => ({ ask: "place", x, y, number: view.moves.length + 1 });

/** Whether it is this player's move. */
export const isMine = (view) => view.place === "game" && view.turn?.stone === view.mine;

export const nameOf = ([x, y]) => `${String.fromCharCode(65 + x)}${15 - y}`;

/** What the lobby says of those who look for a partner. */
export const crowd = ({ looking = 0 }) =>
  looking === 0 ? "" : looking === 1 ? "Somebody is looking for a partner."
    : `${looking} players are looking for a partner.`;

/** The partner's name. */
export const partner = (view) => (view.mine === "black" ? view.white : view.black);

/** What the status line says. */
export function status(view) {
  if (view.place !== "game" || view.over) return "";
  const last = view.moves.at(-1);
  const played = last ? `, after ${nameOf(last)}` : "";
  return isMine(view) ? `Your move${played}` : `${partner(view)} is thinking${played}`;
}

/** The headline and the reason of a result. */
export function result(view) {
  const { winner, how } = view.over;
  const won = winner === view.mine;
  const they = partner(view);
  const headline = winner === null ? "A draw"
    : won ? "You win"
    : `${they} wins`;
  const who = won ? they : "You";
  const why = {
    "five": "Five in a row.",
    "board-full": "The board is full.",
    "resigned": `${who} resigned.`,
    "time": `${who} ran out of time.`,
    "left": `${who} left the game.`,
    "away": `${who} did not come back in time.`,
  }[how] ?? "";
  const next = view.partner_left && !["left", "away"].includes(how) ? ` ${they} has left.`
    : view.rematch === view.mine ? ` Waiting for ${they} to accept a rematch.`
    : view.rematch ? ` ${they} would like a rematch.`
    : "";
  return [headline, why + next];
}
