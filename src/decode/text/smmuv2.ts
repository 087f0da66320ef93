// Fault lines of the SMMUv2 driver: another architecture, recognised and decoded in one line.

/** Numbers of an SMMUv2 fault line. */
export interface Smmuv2Finding {
  readonly type: "smmuv2";
  readonly at: number;
  readonly what: "context" | "global" | "blocked" | "registers";
  readonly text: string;
  readonly fsr?: number;
  readonly fsynr?: number;
  readonly gfsr?: number;
  readonly iova?: bigint;
  readonly sid?: number;
  readonly bank?: number;
}

/** Bits of CB_FSR (IHI0062): why a context bank faulted. */
const FSR: readonly (readonly [number, string])[] = [
  [1, "translation fault"],
  [2, "access flag fault"],
  [3, "permission fault"],
  [4, "external abort"],
  [5, "TLB match conflict"],
  [6, "TLB lock fault"],
  [7, "address size fault"],
  [8, "unsupported upstream transaction"],
  [30, "transaction stalled"],
  [31, "more faults followed"],
];

/** Bits of GFSR (IHI0062): faults that belong to no context bank. */
const GFSR: readonly (readonly [number, string])[] = [
  [0, "invalid context"],
  [1, "unidentified stream"],
  [2, "stream matched twice"],
  [3, "unimplemented context bank"],
  [4, "unimplemented context interrupt"],
  [5, "configuration access fault"],
  [6, "external abort"],
  [7, "permission fault"],
  [8, "unsupported upstream transaction"],
  [31, "more faults followed"],
];

const bitNames = (table: readonly (readonly [number, string])[], value: number): string[] =>
  table.filter(([bit]) => Math.floor(value / 2 ** bit) % 2 === 1).map(([, name]) => name);

const bitOf = (value: number, bit: number): boolean => Math.floor(value / 2 ** bit) % 2 === 1;

/** "write, unprivileged, data": the access that CB_FSYNR0 describes. */
function accessOf(fsynr: number): string {
  const parts = [
    bitOf(fsynr, 4) ? "write" : "read",
    bitOf(fsynr, 5) ? "privileged" : "unprivileged",
    bitOf(fsynr, 6) ? "instruction" : "data",
    `table level ${fsynr % 4}`,
  ];
  if (bitOf(fsynr, 10)) parts.push("during a table walk");
  return parts.join(", ");
}

/** One line that says what an SMMUv2 fault was. */
export function describeSmmuv2(f: Smmuv2Finding): string {
  const parts: string[] = [];
  if (f.fsr !== undefined)
    parts.push(`FSR 0x${f.fsr.toString(16)}: ${bitNames(FSR, f.fsr).join(", ") || "no fault bit"}`);
  if (f.fsynr !== undefined) parts.push(`FSYNR0 0x${f.fsynr.toString(16)}: ${accessOf(f.fsynr)}`);
  if (f.gfsr !== undefined)
    parts.push(
      `GFSR 0x${f.gfsr.toString(16)}: ${bitNames(GFSR, f.gfsr).join(", ") || "no fault bit"}`,
    );
  if (f.iova !== undefined) parts.push(`address 0x${f.iova.toString(16)}`);
  if (f.sid !== undefined) parts.push(`stream 0x${f.sid.toString(16)}`);
  if (f.bank !== undefined) parts.push(`context bank ${f.bank}`);
  return parts.join("; ") || f.text;
}

/** Is the access of a context fault known to be a write? */
export const isSmmuv2Write = (f: Smmuv2Finding): boolean =>
  f.fsynr !== undefined && bitOf(f.fsynr, 4);

const LINE = new RegExp(
  String.raw`\b(Unhandled context fault|Unexpected global fault|Blocked unknown Stream ID|` +
    String.raw`GFSR 0x|FSR\s{1,6}= |FSYNR0 = )`,
  "i",
);

function labelled(line: string, name: string): string | undefined {
  return new RegExp(`\\b${name}\\s{0,6}[= ]\\s{0,4}(?:0x)?([0-9a-f]{1,16})\\b`, "i").exec(
    line,
  )?.[1];
}

/** Reads a fault line of the SMMUv2 driver; undefined for every other line. */
export function smmuv2Of(line: string): Smmuv2Finding | undefined {
  const m = LINE.exec(line);
  if (m === null) return undefined;
  const number = (name: string): number | undefined => {
    const digits = labelled(line, name);
    return digits === undefined ? undefined : Number.parseInt(digits, 16) >>> 0;
  };
  const iova = labelled(line, "iova");
  const head = m[1].toLowerCase();
  const what = head.startsWith("unh")
    ? "context"
    : head.startsWith("unex")
      ? "global"
      : head.startsWith("bl")
        ? "blocked"
        : "registers";
  const bank = /\bcb\s{0,2}=\s{0,2}(\d{1,4})\b/.exec(line)?.[1];
  const blocked = /Stream ID (?:0x)?([0-9a-f]{1,8})\b/i.exec(line)?.[1];
  const sid = /\bSID=(?:0x)?([0-9a-f]{1,8})\b/i.exec(line)?.[1] ?? blocked;
  return {
    type: "smmuv2",
    at: m.index,
    what,
    text: line.slice(m.index).trim(),
    fsr: number("fsr"),
    fsynr: number("fsynr") ?? number("fsynr0"),
    gfsr: number("gfsr"),
    ...(iova === undefined ? {} : { iova: BigInt(`0x${iova}`) }),
    ...(sid === undefined ? {} : { sid: Number.parseInt(sid, 16) }),
    ...(bank === undefined ? {} : { bank: Number(bank) }),
  };
}
