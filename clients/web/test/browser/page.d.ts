// What the page of the sample and `watch` of player.mjs put into the window.

import type { Session } from "../../src/client.js";

type Point = [number, number];

export interface View {
  place: "lobby" | "waiting" | "game";
  name?: string;
  mine?: "black" | "white";
  moves?: Point[];
  turn?: { stone: "black" | "white" } | null;
  over?: { winner: "black" | "white" | null; how: string; row: Point[] } | null;
}

declare global {
  interface Window {
    omok: {
      readonly session: Session | undefined;
      readonly view: View;
      readonly holes: number;
      cell(x: number, y: number): { x: number; y: number };
    };
    /** The colours of the link so far, and the numbers of the moves that were told. */
    seen: { links: string[]; told: number[] };
    /** Begins to note the moves that the session tells. */
    watch(): void;
  }
}
