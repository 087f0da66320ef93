// A progress bar on a terminal's error stream; silent elsewhere.

import { count } from "./number.ts";

/** Where the bar goes: it is redrawn in place. */
export interface ProgressSink {
  write(text: string): void;
  /** Columns of the terminal; 0 when it is not one: then nothing is drawn. */
  width: number;
  /** Milliseconds, for the rate and for not drawing too often. */
  now(): number;
}

/** Shows how far a job is. */
export interface Progress {
  /** @param fraction 0 to 1 @param done items so far */
  update(fraction: number, done: number): void;
  /** Removes the bar. */
  end(): void;
}

const REDRAW_MS = 80;
const BAR_CELLS = 24;

/** A bar labelled `label` that counts `unit`s. */
export function progressBar(sink: ProgressSink, label: string, unit: string): Progress {
  if (sink.width <= 0) return { update() {}, end() {} };
  const start = sink.now();
  let last = Number.NEGATIVE_INFINITY;
  let drawn = false;
  return {
    update(fraction, done) {
      const now = sink.now();
      if (now - last < REDRAW_MS) return;
      last = now;
      drawn = true;
      const cells = Math.round(Math.min(1, Math.max(0, fraction)) * BAR_CELLS);
      const bar = "█".repeat(cells) + "░".repeat(BAR_CELLS - cells);
      const seconds = (now - start) / 1000;
      const rate = seconds > 0.2 ? `  ${count(done / seconds)}/s` : "";
      const percent = `${Math.floor(fraction * 100)}`.padStart(3);
      const line = `${label} ${bar} ${percent}%  ${count(done)} ${unit}${rate}`;
      sink.write(`\r${[...line].slice(0, sink.width - 1).join("")}\x1b[K`);
    },
    end() {
      if (drawn) sink.write("\r\x1b[K");
    },
  };
}
