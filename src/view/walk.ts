// A walk as text: every fetch on a line, then the verdict; and the list of streams.

import type { WalkReport, WalkStep } from "../capture/walk.ts";
import { countFetches } from "../machine/machine.ts";
import { byteSize, hex, plural } from "./number.ts";
import type { Paint } from "./paint.ts";
import { type Cell, formatPairs, formatTable } from "./table.ts";

/** One stream of a stream table. */
export interface StreamRow {
  smmu: number;
  sid: number;
  bdf: string | null;
  config: string;
  ste: bigint;
  cd: bigint | null;
  asid: number | null;
  ttb0: bigint | null;
  vmid: number | null;
  s2ttb: bigint | null;
}

const NAMES: Record<string, string> = {
  l1std: "L1STD",
  ste: "STE",
  l1cd: "L1CD",
  cd: "CD",
  "iotlb-lookup": "IOTLB look-up",
  "iotlb-insert": "IOTLB insert",
  "config-lookup": "config look-up",
};

/** Whether a step is worth a line: a fetch, or a look-up of QEMU's caches. */
export function isShown(step: WalkStep): boolean {
  return step.what !== "tt" && step.what !== "config-lookup";
}

/** Lines for people. */
export function formatWalk(
  report: WalkReport,
  request: string,
  paint: Paint,
  width: number,
): string[] {
  const columns = [
    { title: "#", align: "right" as const },
    { title: "what" },
    { title: "address", align: "right" as const },
    { title: "value", align: "right" as const },
    { title: "meaning", shrink: true },
  ];
  const rows = report.steps
    .filter(isShown)
    .map((s, i): Cell[] => [
      String(i + 1),
      { text: stepName(s), style: "name" },
      hex(s.address),
      s.what === "iotlb-lookup" || s.unbacked ? "" : hex(s.value),
      s.unknown ? { text: s.verdict, style: "bad" } : s.verdict,
    ]);
  return [
    `${paint("head", "walk")}  ${request}`,
    "",
    ...(rows.length > 0 ? [...formatTable(columns, rows, { paint, width }), ""] : []),
    ...resultLines(report, paint),
  ];
}

function stepName(s: WalkStep): string {
  if (s.what !== "pte") return NAMES[s.what] ?? s.what;
  return `stage ${s.stage} level ${s.level}`;
}

function resultLines(r: WalkReport, paint: Paint): string[] {
  if (r.pa !== undefined) {
    const perm = `${r.perm ?? 0}`;
    const rights = [1, 2, 4].map((bit, i) => (Number(perm) & bit ? "rwx"[i] : "-")).join("");
    const pairs: [string, string][] = [
      [r.status === "bypass" ? "bypassed to" : "translates to", paint("good", hex(r.pa))],
      [
        "mapping",
        `${byteSize(r.size ?? 0n)}, ${rights}, stage ${["none", 1, 2, "1+2"][r.stage ?? 0]}`,
      ],
      ["fetches", fetchText(r)],
    ];
    return formatPairs(pairs, paint);
  }
  const pairs: [string, string][] = [["ends in", paint("bad", r.event?.name ?? r.status)]];
  if (r.event) {
    pairs.push(["record", recordWords(r.event.record)]);
    if (r.status === "silent") pairs.push(["recorded", "no: CD.R or S2R suppresses it"]);
  }
  if (r.missing !== undefined) {
    pairs.push(["missing", `${hex(r.missing)} is not in the capture`]);
  }
  pairs.push(["fetches", fetchText(r)]);
  return formatPairs(pairs, paint);
}

function fetchText(r: WalkReport): string {
  return `${countFetches(r.steps)} (${plural(r.fetches, "64-bit load")})`;
}

/** An event record as four 64-bit words. */
export function recordWords(record: Uint8Array): string {
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  return [0, 8, 16, 24]
    .map((at) => `0x${view.getBigUint64(at, true).toString(16).padStart(16, "0")}`)
    .join(" ");
}

/** The list of streams. */
export function formatStreams(
  rows: StreamRow[],
  aborting: number,
  paint: Paint,
  width: number,
): string[] {
  const columns = [
    { title: "smmu", align: "right" as const },
    { title: "sid" },
    { title: "function" },
    { title: "config" },
    { title: "STE" },
    { title: "CD" },
    { title: "ASID" },
    { title: "TTB0" },
    { title: "VMID" },
    { title: "S2TTB" },
  ];
  const cell = (v: bigint | number | null) => (v === null ? "" : hex(v));
  const lines = rows.map((r): Cell[] => [
    String(r.smmu),
    { text: hex(r.sid), style: "name" },
    r.bdf ?? "",
    r.config,
    hex(r.ste),
    cell(r.cd),
    cell(r.asid),
    cell(r.ttb0),
    cell(r.vmid),
    cell(r.s2ttb),
  ]);
  return [
    ...formatTable(columns, lines, { paint, width }),
    ...(aborting > 0 ? ["", paint("dim", `  ${aborting} more STEs abort everything.`)] : []),
  ];
}
