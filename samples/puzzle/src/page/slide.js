// The rules as far as a page must know them to show a move at once. Pure: no page, no network.
//
// What counts is what the node says; only it knows where the day's next tile comes.

export const SIDE = 4;

/**
 * Where tiles go: for each tile its cell before and after, and whether it merges there with
 * another one. `gain` is what that scores. Cells are those of a view: 0 is free, n is 2^n.
 */
export function slide(cells, motion) {
  const paths = [];
  let gain = 0;
  for (let line = 0; line < SIDE; line += 1) {
    const at = (step) => ({
      "left": line * SIDE + step,
      "right": line * SIDE + SIDE - 1 - step,
      "up": step * SIDE + line,
      "down": (SIDE - 1 - step) * SIDE + line,
    })[motion];
    let to = -1;
    // The tile that the next one of its kind merges with.
    let open = null;
    for (let step = 0; step < SIDE; step += 1) {
      const from = at(step);
      const tile = cells[from];
      if (!tile) continue;
      if (open !== null && cells[open.from] === tile) {
        open.merges = true;
        paths.push({ from, to: at(to), merges: true });
        gain += 2 ** (tile + 1);
        open = null;
      } else {
        to += 1;
        open = { from, to: at(to), merges: false };
        paths.push(open);
      }
    }
  }
  return { paths, gain, moves: paths.some(({ from, to }) => from !== to) };
}
