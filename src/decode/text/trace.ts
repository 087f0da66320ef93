// Lines that QEMU prints with "-d trace:smmu*" (or -trace): walks, events, register accesses.

/** What one trace line says. */
export type TraceFinding =
  | { type: "trace-event"; at: number; event: string; sid: number }
  | { type: "trace-failed"; at: number; event: string | undefined; iova: bigint }
  | { type: "trace-abort"; at: number; sid: number; iova: bigint }
  | { type: "trace-pte"; at: number; stage: number; level: number; address?: bigint; value: bigint }
  | { type: "trace-begin"; at: number; name: string }
  | { type: "trace-mmio"; at: number; write: boolean; offset: number; value: bigint }
  | { type: "trace-cmd-error"; at: number; command: string; error: number }
  | { type: "trace-gerror"; at: number; value: number }
  | { type: "trace-vste"; at: number; sid: number; words: readonly bigint[] }
  | { type: "trace-other"; at: number; name: string };

const NAME = /(?:^|[\s:])(smmu(?:v3)?_[a-z0-9_]{2,48})(?=\s|$)/;
const FAILED = /\btranslation failed for iova=0x([0-9a-f]{1,16}) \(([^)]{1,40})\)/i;

const big = (digits: string): bigint => BigInt(`0x${digits}`);
const hex = (digits: string): number => Number.parseInt(digits, 16);

function field(line: string, name: string): string | undefined {
  return new RegExp(`\\b${name}\\s{0,2}[=:]\\s{0,2}(?:0x)?([0-9a-f]{1,16})\\b`, "i").exec(
    line,
  )?.[1];
}

/** "SMMU_EVT_F_TRANSLATION" is "F_TRANSLATION". */
const eventName = (text: string): string => text.replace(/^SMMU_EVT_/, "");

function eventLine(at: number, line: string): TraceFinding | undefined {
  const m = /\b(?:SMMU_EVT_)?([CFE]_[A-Z_]{2,24})\s{1,4}sid=0x([0-9a-f]{1,8})\b/.exec(line);
  return m === null
    ? undefined
    : { type: "trace-event", at, event: eventName(m[1]), sid: hex(m[2]) };
}

function pteLine(at: number, line: string): TraceFinding | undefined {
  const stage = field(line, "stage");
  const level = /\blevel=(-?\d)\b/.exec(line)?.[1];
  const value = /\bpte=0x([0-9a-f]{1,16})\b/i.exec(line)?.[1];
  if (stage === undefined || level === undefined || value === undefined) return undefined;
  const address = /\bpte@=0x([0-9a-f]{1,16})\b/i.exec(line)?.[1];
  return {
    type: "trace-pte",
    at,
    stage: hex(stage),
    level: Number(level),
    value: big(value),
    ...(address === undefined ? {} : { address: big(address) }),
  };
}

function mmioLine(at: number, line: string, write: boolean): TraceFinding | undefined {
  const offset = field(line, "addr");
  const value = field(line, "val");
  if (offset === undefined || value === undefined) return undefined;
  return { type: "trace-mmio", at, write, offset: hex(offset), value: big(value) };
}

/** Its `is_write` is 0 for writes too. */
function abortLine(at: number, line: string): TraceFinding | undefined {
  const sid = field(line, "sid");
  const iova = field(line, "iova");
  if (sid === undefined || iova === undefined) return undefined;
  return { type: "trace-abort", at, sid: hex(sid), iova: big(iova) };
}

function errorLine(at: number, line: string): TraceFinding | undefined {
  const m = /Error on (\S{1,40}) command execution: (\d{1,3})/.exec(line);
  return m === null
    ? undefined
    : { type: "trace-cmd-error", at, command: m[1], error: Number(m[2]) };
}

function vsteLine(at: number, line: string): TraceFinding | undefined {
  const m = /\bvSID=0x([0-9a-f]{1,8})\b.{0,60}\bste=([0-9a-f]{1,16}):([0-9a-f]{1,16})\b/i.exec(
    line,
  );
  if (m === null) return undefined;
  return { type: "trace-vste", at, sid: hex(m[1]), words: [big(m[3]), big(m[2])] };
}

function gerrorLine(at: number, line: string): TraceFinding | undefined {
  const value = /\btoggled=0x([0-9a-f]{1,8})\b/.exec(line)?.[1];
  return value === undefined ? undefined : { type: "trace-gerror", at, value: hex(value) };
}

const READERS: Readonly<Record<string, (at: number, line: string) => TraceFinding | undefined>> = {
  smmuv3_record_event: eventLine,
  smmuv3_propagate_event: eventLine,
  smmu_ptw_level: pteLine,
  smmu_ptw_invalid_pte: pteLine,
  smmuv3_translate_abort: abortLine,
  smmuv3_cmdq_consume_error: errorLine,
  smmuv3_accel_translate_ste: vsteLine,
  smmuv3_write_gerror: gerrorLine,
  smmuv3_read_mmio: (at, line) => mmioLine(at, line, false),
  smmuv3_write_mmio: (at, line) => mmioLine(at, line, true),
};

/** Lines after which the reads of a new translation follow. */
const BEGIN = /^smmuv3_(?:find_ste|config_cache_(?:hit|miss))$|^smmu_iotlb_lookup_(?:hit|miss)$/;

/** Reads one QEMU trace line; undefined for every other line. */
export function traceOf(line: string): TraceFinding | undefined {
  const failed = FAILED.exec(line);
  if (failed !== null) {
    const name = eventName(failed[2]);
    const event = /^[CFE]_[A-Z_]+$/.test(name) ? name : undefined;
    return { type: "trace-failed", at: failed.index, event, iova: big(failed[1]) };
  }
  const m = NAME.exec(line);
  if (m === null) return undefined;
  const at = m.index + m[0].length - m[1].length;
  const found = READERS[m[1]]?.(at, line.slice(at + m[1].length));
  if (found !== undefined) return found;
  return BEGIN.test(m[1])
    ? { type: "trace-begin", at, name: m[1] }
    : { type: "trace-other", at, name: m[1] };
}
