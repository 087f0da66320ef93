// Chooses how an input is read: as a log, or as words of one kind of structure.
import { CMD } from "../spec/index.ts";
import { decodeCommand } from "./command.ts";
import { decodeLog, explainRecords, resultOf } from "./decode.ts";
import { decodeDescriptor } from "./descriptor.ts";
import { decodeEvent } from "./event.ts";
import { decodeRegisterDump, featureTable, idRegistersOf } from "./registers.ts";
import { isEventWord } from "./scan.ts";
import { decodeStructure, wordsIn } from "./structure.ts";
import { cleanText } from "./text/clean.ts";
import { dumpWords } from "./text/dump.ts";
import type { DecodedRecord, DecodeOptions, DecodeResult } from "./types.ts";

/** Kinds of input, as `--from` names them. */
export const INPUT_KINDS = [
  "auto",
  "dmesg",
  "trace",
  "event",
  "cmd",
  "ste",
  "cd",
  "l1std",
  "l1cd",
  "priq",
  "pte",
  "regs",
] as const;
export type InputKind = (typeof INPUT_KINDS)[number];

/** What each kind wants to see, for the message when it is not there. */
export const EXPECTED: Readonly<Record<InputKind, string>> = {
  auto:
    "a kernel log with arm-smmu-v3 lines, a QEMU trace, a dump of SMMU registers, " +
    "or hexadecimal words of an event (4), command (2), STE or CD (8)",
  dmesg:
    'kernel lines such as "arm-smmu-v3 9050000.smmuv3: event 0x10 received:" ' +
    "and the words after it",
  trace: "QEMU trace lines whose names begin with smmu",
  event: "four 64-bit words of an event record, or its 32 bytes",
  cmd: "two 64-bit words of a command, or its 16 bytes",
  ste: "up to eight 64-bit words of a stream table entry",
  cd: "up to eight 64-bit words of a context descriptor",
  l1std: "one 64-bit level-1 stream table descriptor",
  l1cd: "one 64-bit level-1 context descriptor",
  priq: "two 64-bit words of a PRI queue record",
  pte: "one or more 64-bit translation table descriptors",
  regs: 'a register dump: "IDR0 0x…", "0x9050000: 0x…", "offset value", devmem, xp or md output',
};

/** Words cut into entries; the last may be short. */
function chunks(words: readonly bigint[], size: number): bigint[][] {
  return Array.from({ length: Math.ceil(words.length / size) }, (_, i) =>
    words.slice(i * size, (i + 1) * size),
  );
}

/** Limit on entries decoded from one dump. */
const ENTRIES_MAX = 4096;

type WordKind = Exclude<InputKind, "auto" | "dmesg" | "trace" | "regs">;

function recordsOfWords(
  kind: WordKind,
  words: readonly bigint[],
  options: DecodeOptions,
): DecodedRecord[] {
  const each = (size: number, decode: (entry: bigint[]) => DecodedRecord): DecodedRecord[] =>
    chunks(words, size).slice(0, ENTRIES_MAX).map(decode);
  switch (kind) {
    case "event":
      return each(4, (w) => decodeEvent(w));
    case "cmd":
      return each(2, (w) => decodeCommand(w, options));
    case "pte":
      return each(1, ([w]) => decodeDescriptor(w, options));
    default: {
      const structure = kind.toUpperCase() as "STE" | "CD" | "L1STD" | "L1CD" | "PRIQ";
      return each(wordsIn(structure), (w) => decodeStructure(structure, w, { options }));
    }
  }
}

/** Decodes words that are known to be of one kind. Throws a RangeError when there are none. */
export function decodeWords(
  kind: WordKind,
  words: readonly bigint[],
  options: DecodeOptions = {},
): DecodeResult {
  return resultOf(explainRecords(recordsOfWords(kind, words, options), options));
}

/** Decodes a register dump, with a table of what its ID registers say. */
export function decodeRegisters(text: string, options: DecodeOptions = {}): DecodeResult {
  const lines = cleanText(text).map((l) => l.text);
  const registers = decodeRegisterDump(lines, options.base);
  const table = featureTable(idRegistersOf(registers));
  return resultOf(table === undefined ? registers : [...registers, table]);
}

const GUESSED = "the kind was guessed from the number of words; --from says it for certain";

/** What bare words most likely are. */
function guess(words: readonly bigint[]): WordKind | undefined {
  const first = words[0];
  if (first === undefined) return undefined;
  if (words.length % 4 === 0 && chunks(words, 4).every(([w]) => isEventWord(w))) return "event";
  if (words.length % 8 === 0)
    return (first & 1n) === 1n ? "ste" : first >> 31n !== 0n ? "cd" : "ste";
  if (words.length === 2 && CMD.caseOf(Number(first & 0xffn)) !== undefined) return "cmd";
  if (words.length === 3 && isEventWord(first)) return "event";
  return words.length === 1 && (first & 1n) === 1n && first >> 32n !== 0n ? "pte" : undefined;
}

/** Is the text nothing but numbers, so that guessing at them makes sense? */
function onlyNumbers(text: string): boolean {
  return text
    .trim()
    .split(/[\s,]+/)
    .every((t) =>
      /^(?:0|0x[0-9a-f_]{1,19}|[0-9a-f]{16}|[0-9a-f]{32}|[0-9a-f]{64}|[0-9a-f]{128})$/i.test(t),
    );
}

function decodeAuto(text: string, options: DecodeOptions): DecodeResult {
  const log = decodeLog(text, options);
  if (log.records.length > 0 || log.understood) return log;
  if (onlyNumbers(text)) {
    const words = dumpWords(text);
    const kind = guess(words);
    if (kind === undefined) return log;
    const result = decodeWords(kind, words, options);
    const records = result.records.map((r) => ({ ...r, notes: [...r.notes, GUESSED] }));
    return { ...result, records };
  }
  const registers = decodeRegisters(text, options);
  return registers.records.some((r) => r.kind === "register" && r.fields.length > 0)
    ? registers
    : log;
}

/** Decodes a text as the given kind. `understood` is false when nothing of that kind is in it. */
export function decodeText(
  text: string,
  kind: InputKind = "auto",
  options: DecodeOptions = {},
): DecodeResult {
  if (kind === "auto") return decodeAuto(text, options);
  if (kind === "dmesg" || kind === "trace") return decodeLog(text, options);
  if (kind === "regs") return decodeRegisters(text, options);
  return decodeWords(kind, dumpWords(text), options);
}
