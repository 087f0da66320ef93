// Puts the words of a record together that were printed on separate lines, with others between.
import type { WordLine } from "./words.ts";

/** What is being collected, and how many 64-bit words it has. */
export type WordsOf = "event" | "command" | "STE" | "CD";

const WORD_COUNT: Readonly<Record<WordsOf, number>> = { event: 4, command: 2, STE: 8, CD: 8 };

/** Lines of other messages that may stand between two words of a record. */
const GAP_LINES_MAX = 48;

/** A record whose words are being collected or complete. */
export interface Collected {
  readonly of: WordsOf;
  /** Event number that the header announced. */
  readonly announced: number | undefined;
  readonly device: string | undefined;
  readonly line: number;
  readonly time: number | undefined;
  readonly owner: string | undefined;
  readonly ssid: number | undefined;
  /** words[i] is undefined when the text labelled its words and this one is not there. */
  readonly words: (bigint | undefined)[];
  /** Words that could not be placed. */
  readonly stray: bigint[];
}

interface Open {
  readonly target: Collected;
  half: bigint | undefined;
  gap: number;
}

/** How a header line introduces its words. */
export type Header = Pick<Collected, "of" | "announced" | "device" | "line" | "time"> &
  Partial<Pick<Collected, "owner" | "ssid">>;

/**
 * Collects words after header lines. One record per device is open at a time, so two SMMUs may
 * print
 * at once; words that name no device go to the record opened last.
 */
export class Assembler {
  #open: Open[] = [];

  /** Starts a record; an unfinished one of the same device ends here. */
  begin(header: Header): Collected {
    this.#open = this.#open.filter((o) => o.target.device !== header.device);
    const target: Collected = {
      owner: undefined,
      ssid: undefined,
      ...header,
      words: [],
      stray: [],
    };
    this.#open.push({ target, half: undefined, gap: 0 });
    return target;
  }

  /** Gives words to the record they belong to; false when no open record takes them. */
  take(found: WordLine): boolean {
    const open = this.#openFor(found);
    if (open === undefined) return false;
    const words = [...found.words];
    if (open.half !== undefined) {
      if (words.length === 0 && found.half !== undefined) {
        words.push((open.half << 32n) | found.half);
        open.half = undefined;
      } else {
        this.#place(open, [open.half], undefined);
        open.half = found.half;
      }
    } else open.half = found.half;
    this.#place(open, words, found.index);
    open.gap = 0;
    this.#closeIfFull(open);
    return true;
  }

  /** Counts a line that was no word line; forgets records that have waited too long. */
  pass(): void {
    for (const open of this.#open) {
      open.gap++;
      this.#finish(open);
    }
    const late = this.#open.filter((o) => o.gap > GAP_LINES_MAX);
    if (late.length > 0) this.#open = this.#open.filter((o) => !late.includes(o));
  }

  /** Ends the open record of a device (every record without an argument). */
  end(device?: string): void {
    for (const open of this.#open)
      if (device === undefined || open.target.device === device) this.#finish(open);
    this.#open = device === undefined ? [] : this.#open.filter((o) => o.target.device !== device);
  }

  /** Is this record still open? */
  isOpen(target: Collected): boolean {
    return this.#open.some((o) => o.target === target);
  }

  #openFor({ key, full }: WordLine): Open | undefined {
    if (key === undefined) {
      const last = this.#open[this.#open.length - 1];
      return full || last?.target.device === undefined ? last : undefined;
    }
    const named = this.#open.find((o) => o.target.device === key);
    if (named !== undefined || !/smmu/i.test(key)) return named;
    return this.#open.find((o) => o.target.device === undefined);
  }

  #place(open: Open, words: readonly bigint[], index: number | undefined): void {
    const { target } = open;
    const count = WORD_COUNT[target.of];
    let at = index ?? target.words.length;
    for (const word of words) {
      if (at < count && target.words[at] === undefined) target.words[at] = word;
      else target.stray.push(word);
      at++;
    }
  }

  #closeIfFull(open: Open): void {
    const { target } = open;
    const count = target.words.filter((w) => w !== undefined).length;
    if (count < WORD_COUNT[target.of] || open.half !== undefined) return;
    this.#open = this.#open.filter((o) => o !== open);
  }

  #finish(open: Open): void {
    if (open.half === undefined) return;
    this.#place(open, [open.half], undefined);
    open.half = undefined;
  }
}
