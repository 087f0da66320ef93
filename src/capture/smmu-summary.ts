// One SMMU of a capture in a few words: its stages, sizes, stream table and streams.

import { IDR0, IDR5, STRTAB_BASE, STRTAB_BASE_CFG } from "../spec/register.ts";
import { STE } from "../spec/ste.ts";
import { getField } from "../spec/word.ts";
import type { SmmuState } from "./manifest.ts";
import { readStream, steAddresses } from "./streams.ts";
import type { ReadWord } from "./tables.ts";

/** What is worth saying about an SMMU. */
export interface SmmuSummary {
  base: bigint;
  /** "1", "2" or "1+2". */
  stages: string;
  oasBits: number;
  streamTable: { base: bigint; format: "linear" | "2-level"; log2size: number };
  /** Valid STEs by what Config says. */
  streams: Record<string, number>;
}

const OAS_BITS = [32, 36, 40, 42, 44, 48, 52, 56];

/** Summarises an SMMU from its registers and memory. */
export function summarizeSmmu(state: SmmuState, read: ReadWord): SmmuSummary {
  const reg = (name: string) => [state.regs.get(name) ?? 0n];
  const stages = [
    getField(IDR0, reg("IDR0"), "S1P") === 1n ? "1" : "",
    getField(IDR0, reg("IDR0"), "S2P") === 1n ? "2" : "",
  ];
  const cfg = reg("STRTAB_BASE_CFG");
  const streams: Record<string, number> = {};
  for (const [sid, address] of steAddresses(state.regs, read)) {
    const stream = readStream(sid, address, read);
    if (!stream) continue;
    const name = STE.field.Config.values?.[stream.config] ?? `${stream.config}`;
    streams[name] = (streams[name] ?? 0) + 1;
  }
  return {
    base: state.base,
    stages: stages.filter(Boolean).join("+") || "none",
    oasBits: OAS_BITS[Number(getField(IDR5, reg("IDR5"), "OAS"))],
    streamTable: {
      base: getField(STRTAB_BASE, reg("STRTAB_BASE"), "ADDR"),
      format: getField(STRTAB_BASE_CFG, cfg, "FMT") === 1n ? "2-level" : "linear",
      log2size: Number(getField(STRTAB_BASE_CFG, cfg, "LOG2SIZE")),
    },
    streams,
  };
}

/** The summary as one line. */
export function describeSmmu(s: SmmuSummary, index: number): string {
  const streams = Object.entries(s.streams).map(([name, n]) => `${n} ${name}`);
  return (
    `SMMU ${index} at 0x${s.base.toString(16)}: stages ${s.stages}, ${s.oasBits}-bit output, ` +
    `${s.streamTable.format} stream table${streams.length ? `, STEs: ${streams.join(", ")}` : ""}`
  );
}
