// Builds the lines in which kernels and people show an event record, around given words.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

/** One published record. */
export interface CorpusRecord {
  src: string;
  w: string[];
}

const here = (path: string): URL => new URL(`../${path}`, import.meta.url);

/** The published records. */
export const corpus: CorpusRecord[] = JSON.parse(readFileSync(here("corpus/records.json"), "utf8"));

/** A file of a capture as text, unpacked if need be. */
export function captureText(path: string): string {
  const bytes = readFileSync(here(`captures/${path}`));
  return (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
}

/** A word with 16 digits, as kernels print it. */
export const word = (w: string | bigint): string => `0x${BigInt(w).toString(16).padStart(16, "0")}`;

/** Two digits of the event number in word 0. */
export const eventNumber = (words: readonly string[]): string =>
  (BigInt(words[0]) & 0xffn).toString(16).padStart(2, "0");

/** How the lines look. */
export interface Look {
  /** "arm-smmu-v3 9050000.smmuv3" or "(XEN) SMMUv3: /smmuv3@9050000". */
  device?: string;
  /** Text before the device, for the n-th line. */
  prefix?: (n: number) => string;
  /** Between the device's colon and the word. */
  gap?: string;
}

/** The header line and one line per word. */
export function kernelLines(words: readonly string[], look: Look = {}): string[] {
  const { device = "arm-smmu-v3 arm-smmu-v3.3.auto", prefix = () => "", gap = "\t" } = look;
  return [
    `${prefix(0)}${device}: event 0x${eventNumber(words)} received:`,
    ...words.map((w, i) => `${prefix(i + 1)}${device}: ${gap}${word(w)}`),
  ];
}
