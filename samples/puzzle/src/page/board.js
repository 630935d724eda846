// The board: tiles that slide, merge and grow. It draws, and reads fingers; it does not decide.

import { SIDE, slide } from "./slide.js";

/** As in the style sheet: `--slide`. */
const SLIDE_MS = 110;
/** A finger that moved so far has swiped. */
const SWIPE_PX = 22;

export class Board {
  #element;
  #layer;
  /** What lies on each cell: its element and its power of two; undefined on a free one. */
  #tiles = Array(SIDE * SIDE);
  /** Elements that end when the slide under way does. */
  #leaving = new Set();
  #slideEnds = 0;

  /** `play(motion)` is called for each swipe. */
  constructor(element, play) {
    this.#element = element;
    this.#layer = element.querySelector(".tiles");
    this.#listen(play);
  }

  /** What lies on the board as it is drawn. */
  get cells() {
    return Array.from(this.#tiles, (tile) => tile?.power ?? 0);
  }

  /** Whether all that was begun has been drawn. */
  get rests() {
    return this.#element.getAnimations({ subtree: true }).length === 0;
  }

  /** Slides tiles, as the node will; says what that scores, or null if nothing moves. */
  slide(motion) {
    const { paths, gain, moves } = slide(this.cells, motion);
    if (!moves) {
      this.#nudge(motion);
      return null;
    }
    this.#finish();
    const before = this.#tiles;
    this.#tiles = Array(SIDE * SIDE);
    this.#slideEnds = performance.now() + (still() ? 0 : SLIDE_MS);
    for (const { from, to, merges } of paths) {
      const tile = before[from];
      place(tile.element, to);
      if (!merges) this.#tiles[to] = tile;
      else this.#leave(tile.element);
      if (merges && !this.#tiles[to]) this.#add(to, tile.power + 1, "merged");
    }
    return gain;
  }

  /**
   * Shows the board that the node tells. If it is the drawn one and a new tile, that tile grows
   * when the slide has ended; otherwise all of it is drawn anew.
   */
  show(cells) {
    const drawn = this.cells;
    const odd = [...cells.keys()].filter((at) => cells[at] !== drawn[at]);
    if (odd.length === 0) return;
    if (odd.length > 1 || drawn[odd[0]] !== 0) {
      this.clear();
      cells.forEach((power, at) => power && this.#add(at, power, "new"));
    } else {
      this.#add(odd[0], cells[odd[0]], "new");
    }
  }

  clear() {
    this.#leaving.clear();
    this.#layer.replaceChildren();
    this.#tiles = Array(SIDE * SIDE);
  }

  #add(at, power, how) {
    const element = document.createElement("div");
    element.className = `tile ${how}`;
    element.dataset.power = Math.min(power, 12);
    element.dataset.digits = String(2 ** power).length;
    const face = document.createElement("span");
    face.textContent = 2 ** power;
    // It shows when the slide has ended, so that tiles are seen to come together.
    face.style.animationDelay = `${Math.max(0, this.#slideEnds - performance.now())}ms`;
    element.append(face);
    place(element, at);
    this.#layer.append(element);
    this.#tiles[at] = { element, power };
  }

  #leave(element) {
    this.#leaving.add(element);
    element.classList.add("leaving");
    setTimeout(() => {
      if (this.#leaving.delete(element)) element.remove();
    }, this.#slideEnds - performance.now());
  }

  /** Ends the slide before: the next one has begun. */
  #finish() {
    for (const element of this.#leaving) element.remove();
    this.#leaving.clear();
    for (const tile of this.#tiles) {
      tile?.element.querySelector("span").style.setProperty("animation-delay", "0ms");
    }
  }

  /** Nothing moves that way: the board leans, and comes back. */
  #nudge(motion) {
    if (still()) return;
    const [x, y] = { left: [-1, 0], right: [1, 0], up: [0, -1], down: [0, 1] }[motion];
    this.#layer.animate(
      [{}, { transform: `translate(${4 * x}px, ${4 * y}px)` }, {}],
      { duration: 140, easing: "ease-out" },
    );
  }

  #listen(play) {
    let start = null;
    const on = (name, listener) => this.#element.addEventListener(name, listener);
    on("pointerdown", (event) => {
      if (event.target.closest("button") || !event.isPrimary) return;
      start = { x: event.clientX, y: event.clientY };
      this.#element.setPointerCapture(event.pointerId);
    });
    // A swipe counts as soon as it is one, not when the finger is lifted.
    on("pointermove", (event) => {
      if (!start) return;
      const [x, y] = [event.clientX - start.x, event.clientY - start.y];
      if (Math.max(Math.abs(x), Math.abs(y)) < SWIPE_PX) return;
      start = null;
      play(Math.abs(x) > Math.abs(y) ? (x > 0 ? "right" : "left") : (y > 0 ? "down" : "up"));
    });
    for (const end of ["pointerup", "pointercancel"]) on(end, () => { start = null; });
  }
}

function place(element, at) {
  element.style.setProperty("--x", at % SIDE);
  element.style.setProperty("--y", Math.floor(at / SIDE));
}

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
