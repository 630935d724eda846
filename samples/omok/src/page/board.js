// The board: drawn on a canvas, played with mouse, finger or keyboard.

import { nameOf, stoneOf } from "./view.js";

const LINES = 15;
/** From the edge of the board to its first line, in cells: room for the coordinates. */
const MARGIN = 1.05;
const STARS = [[3, 3], [11, 3], [7, 7], [3, 11], [11, 11]];
const DROP_MS = 160;
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Board {
  #canvas;
  #pen;
  #place;
  #speak;
  /** What is drawn: moves, winning row, and the colour that may be placed (or null). */
  #shown = { moves: [], row: [], mine: null };
  /** The point under the mouse, the finger or the keys. */
  #at = null;
  #keys = false;
  /** A stone that was asked for and not yet placed by the node. */
  #asked = null;
  #dropped = 0;
  #frame = 0;

  /** `place(x, y)` is called for a free point when it is this player's move. */
  constructor(canvas, place, speak) {
    this.#canvas = canvas;
    this.#pen = canvas.getContext("2d");
    this.#place = place;
    this.#speak = speak;
    const on = (name, listener) => canvas.addEventListener(name, listener);
    on("pointermove", (event) => this.#point(this.#find(event)));
    on("pointerleave", () => this.#point(null));
    on("pointercancel", () => this.#point(null));
    on("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.#point(this.#find(event));
    });
    // A finger aims while it is down, and places where it is lifted.
    on("pointerup", (event) => {
      const at = this.#find(event);
      if (event.pointerType !== "mouse") this.#point(null);
      if (at && event.button === 0) this.#ask(at);
    });
    on("keydown", (event) => this.#key(event));
    on("blur", () => this.#point(null));
    new ResizeObserver(() => this.#later()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#later());
  }

  /** Shows a game. `mine` is the colour to place, or null if it is not this player's move. */
  show({ moves, row, mine }) {
    const more = moves.length === this.#shown.moves.length + 1;
    if (more) this.#dropped = performance.now();
    if (moves.length !== this.#shown.moves.length || !mine) this.#asked = null;
    this.#shown = { moves, row, mine };
    this.#canvas.classList.toggle("mine", Boolean(mine));
    this.#later();
  }

  /** The node has refused what was asked. */
  refused() {
    this.#asked = null;
    this.#later();
  }

  /** The middle of a point in the page's own pixels, as a mouse would be moved there. */
  cell(x, y) {
    const box = this.#canvas.getBoundingClientRect();
    const cell = box.width / (LINES - 1 + 2 * MARGIN);
    return { x: box.left + (MARGIN + x) * cell, y: box.top + (MARGIN + y) * cell };
  }

  #find({ clientX, clientY }) {
    const zero = this.cell(0, 0);
    const step = this.cell(1, 1).x - zero.x;
    const at = [Math.round((clientX - zero.x) / step), Math.round((clientY - zero.y) / step)];
    return at.every((line) => line >= 0 && line < LINES) ? at : null;
  }

  #point(at, keys = false) {
    if (same(at, this.#at) && keys === this.#keys) return;
    this.#at = at;
    this.#keys = keys;
    this.#later();
  }

  #key(event) {
    const by = KEYS[event.key];
    if (by) {
      const from = this.#at ?? [7, 7];
      const at = this.#at ? from.map((line, i) => clamp(line + by[i])) : from;
      this.#point(at, true);
      this.#speak(`${nameOf(at)}, ${this.#stoneAt(at) ?? "free"}`);
    } else if ((event.key === "Enter" || event.key === " ") && this.#at) {
      this.#ask(this.#at);
    } else {
      return;
    }
    event.preventDefault();
  }

  #ask(at) {
    if (!this.#shown.mine || this.#asked || this.#stoneAt(at)) return;
    this.#asked = at;
    this.#later();
    this.#place(...at);
  }

  #stoneAt(at) {
    const index = this.#shown.moves.findIndex((move) => same(move, at));
    return index < 0 ? null : stoneOf(index);
  }

  #later() {
    this.#frame ||= requestAnimationFrame((now) => {
      this.#frame = 0;
      this.#draw(now);
    });
  }

  #draw(now) {
    const { width: css } = this.#canvas.getBoundingClientRect();
    if (css === 0) return;
    const size = Math.round(css * devicePixelRatio);
    if (this.#canvas.width !== size) this.#canvas.width = this.#canvas.height = size;
    const cell = size / (LINES - 1 + 2 * MARGIN);
    // Lines sit on whole pixels, so that they are crisp.
    this.#pen.setTransform(1, 0, 0, 1, 0, 0);
    const look = style(this.#canvas);
    const to = (line) => Math.round((MARGIN + line) * cell) + 0.5;
    this.#wood(size, look);
    this.#lines(to, cell, look);
    this.#stones(to, cell, look, now);
    this.#marks(to, cell, look);
  }

  #wood(size, look) {
    const pen = this.#pen;
    const wood = pen.createLinearGradient(0, 0, size, size);
    wood.addColorStop(0, look("--wood-light"));
    wood.addColorStop(1, look("--wood-dark"));
    pen.fillStyle = wood;
    pen.fillRect(0, 0, size, size);
    pen.strokeStyle = look("--grain");
    pen.lineWidth = Math.max(1, size / 500);
    for (let i = 0; i < 26; i += 1) {
      // A fixed grain: long waves, unevenly spaced.
      const y = ((i * 61) % 97) / 97 * size;
      const sway = size * (0.006 + 0.006 * ((i * 7) % 5));
      pen.beginPath();
      pen.moveTo(0, y);
      pen.bezierCurveTo(size * 0.3, y - sway, size * 0.6, y + sway, size, y - sway / 2);
      pen.stroke();
    }
  }

  #lines(to, cell, look) {
    const pen = this.#pen;
    pen.strokeStyle = pen.fillStyle = look("--line");
    pen.lineWidth = Math.max(1, Math.round(cell / 30));
    pen.beginPath();
    for (let line = 0; line < LINES; line += 1) {
      pen.moveTo(to(line), to(0));
      pen.lineTo(to(line), to(LINES - 1));
      pen.moveTo(to(0), to(line));
      pen.lineTo(to(LINES - 1), to(line));
    }
    pen.stroke();
    pen.lineWidth *= 2;
    pen.strokeRect(to(0), to(0), to(LINES - 1) - to(0), to(LINES - 1) - to(0));
    for (const [x, y] of STARS) disc(pen, to(x), to(y), cell * 0.11);
    pen.font = `600 ${Math.round(cell * 0.32)}px system-ui, sans-serif`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    for (let line = 0; line < LINES; line += 1) {
      pen.fillText(String.fromCharCode(65 + line), to(line), to(LINES - 1) + cell * 0.72);
      pen.fillText(String(LINES - line), to(0) - cell * 0.68, to(line));
    }
  }

  #stones(to, cell, look, now) {
    const pen = this.#pen;
    const { moves, row, mine } = this.#shown;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const landed = still ? 1 : Math.min(1, (now - this.#dropped) / DROP_MS);
    moves.forEach((at, index) => {
      const last = index === moves.length - 1;
      const grown = last ? 0.8 + 0.2 * landed : 1;
      pen.globalAlpha = row.length > 0 && !row.some((on) => same(on, at)) ? 0.45 : 1;
      stone(pen, to(at[0]), to(at[1]), cell * 0.46 * grown, stoneOf(index));
    });
    pen.globalAlpha = 1;
    if (landed < 1) this.#later();
    const ghost = this.#asked ?? (mine && this.#at && !this.#stoneAt(this.#at) ? this.#at : null);
    if (ghost && mine) {
      pen.globalAlpha = this.#asked ? 0.75 : 0.45;
      stone(pen, to(ghost[0]), to(ghost[1]), cell * 0.46, mine);
      pen.globalAlpha = 1;
    }
    const last = moves.at(-1);
    if (last && row.length === 0) {
      pen.fillStyle = look("--mark");
      disc(pen, to(last[0]), to(last[1]), cell * 0.13);
    }
  }

  #marks(to, cell, look) {
    const pen = this.#pen;
    const { row } = this.#shown;
    if (row.length > 0) {
      pen.strokeStyle = look("--mark");
      pen.lineWidth = cell * 0.14;
      pen.lineCap = "round";
      pen.beginPath();
      pen.moveTo(to(row[0][0]), to(row[0][1]));
      pen.lineTo(to(row.at(-1)[0]), to(row.at(-1)[1]));
      pen.stroke();
    }
    if (this.#keys && this.#at) {
      const [x, y] = this.#at.map(to);
      pen.strokeStyle = look("--mark");
      pen.lineWidth = Math.max(2, cell * 0.08);
      pen.strokeRect(x - cell / 2, y - cell / 2, cell, cell);
    }
  }
}

const same = (a, b) => a === b || (a !== null && b !== null && a[0] === b[0] && a[1] === b[1]);
const clamp = (line) => Math.max(0, Math.min(LINES - 1, line));

function style(element) {
  const all = getComputedStyle(element);
  return (name) => all.getPropertyValue(name);
}

function disc(pen, x, y, radius) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fill();
}

function stone(pen, x, y, radius, colour) {
  const shine = pen.createRadialGradient(
    x - radius * 0.35, y - radius * 0.4, radius * 0.08, x, y, radius);
  const [light, dark] = colour === "black" ? ["#6a6a70", "#121214"] : ["#ffffff", "#d8d4ca"];
  shine.addColorStop(0, light);
  shine.addColorStop(colour === "black" ? 0.75 : 1, dark);
  pen.save();
  pen.shadowColor = `rgba(40, 20, 0, ${0.5 * pen.globalAlpha})`;
  pen.shadowBlur = radius * 0.35;
  pen.shadowOffsetX = radius * 0.08;
  pen.shadowOffsetY = radius * 0.16;
  pen.fillStyle = shine;
  disc(pen, x, y, radius);
  pen.restore();
}
