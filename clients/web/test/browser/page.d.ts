// What the page of the sample and `watch` of player.mjs put into the window.

import type { Session } from "../../src/client.js";

type Point = [number, number];

export interface View {
  place: "lobby" | "waiting" | "game";
  name?: string;
  node?: number;
  code?: string | null;
  mine?: "black" | "white";
  moves?: Point[];
  turn?: { stone: "black" | "white"; deadline_ms: number } | null;
  match_node?: number;
  rematch?: "black" | "white" | null;
  partner_left?: boolean;
  over?: { winner: "black" | "white" | null; how: string; row: Point[] } | null;
}

export interface Heard {
  /** Messages received before the first one that is noted. */
  before: number;
  messages: number;
  /** How often a match was closed under its players. */
  ended: number;
  placed: number;
  refused: string[];
  codes: string[];
  /** Clicks in the lobby that were answered. */
  clicks: number;
  announced: string[];
  /** Ends of turns that changed, or are too far away. */
  wrongClocks: number;
  /** The nodes that the match was at. */
  at: number[];
  /** Errors and ends of the session. */
  errors: string[];
}

/** What the puzzle's page was told last. */
export interface PuzzleView {
  name: string;
  node: number;
  day: number;
  number: number;
  cells: number[];
  score: number;
  steps: number;
  best: number;
  over: boolean;
  rank: number | null;
  players: number;
  ranking: [string, number][];
}

export type Motion = "left" | "right" | "up" | "down" | "start-over";

declare global {
  interface Window {
    puzzle: {
      readonly session: Session | undefined;
      readonly view: PuzzleView;
      /** What is drawn. */
      readonly cells: number[];
      /** The move that is not answered yet. */
      readonly asked: { day: number; number: number; motion: Motion } | null;
      readonly rests: boolean;
      play(motion: Motion): void;
    };
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
    /** What cluster.test.mjs notes, and a switch: nothing more is done by itself. */
    heard: Heard;
    rests: boolean;
    /** Black makes its row. */
    ends: boolean;
  }
}
