// What the physical SMMU's queue received: the commands that the model's host driver issued, in the
// same order.
import { CMD } from "../spec/command.ts";
import { getField, wordsOf } from "../spec/word.ts";
import type { PhysicalRun } from "./accel-views.ts";
import { bytesFromHex } from "./field.ts";
import type { ReportBuilder } from "./replay-report.ts";

const opcodeOf = (name: keyof typeof CMD.cases): number => CMD.cases[name].value as number;
const SYNC = opcodeOf("CMD_SYNC");
/** Commands about one StreamID. */
const BY_STREAM: readonly number[] = [
  opcodeOf("CMD_CFGI_STE"),
  opcodeOf("CMD_CFGI_CD"),
  opcodeOf("CMD_CFGI_CD_ALL"),
  opcodeOf("CMD_PREFETCH_CONFIG"),
  opcodeOf("CMD_ATC_INV"),
];

const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");

/** Whether a command is about the VM: one of its StreamIDs, or its VMID. */
function isAbout(raw: Uint8Array, sids: ReadonlySet<number>, vmid: number): boolean {
  const words = wordsOf(raw);
  const opcode = Number(getField(CMD, words, "Opcode"));
  if (BY_STREAM.includes(opcode)) return sids.has(Number(getField(CMD, words, "StreamID")));
  const hasVmid = CMD.caseOf(opcode)?.field["TLBI.VMID"] !== undefined;
  return hasVmid && Number(getField(CMD, words, "TLBI.VMID")) === vmid;
}

/**
 * Compares from the first TLBI of the VM on: before it the two logs also have what the host did
 * with the functions for itself. The logs stop at different moments, so the shorter one counts.
 */
export function checkHostQueue(
  issued: readonly Uint8Array[],
  physical: PhysicalRun,
  vm: { readonly sids: ReadonlySet<number>; readonly vmid: number },
  report: ReportBuilder,
): void {
  const own = fromFirstTlbi(
    issued.map((raw) => ({ raw })),
    vm,
  );
  const real = fromFirstTlbi(
    physical.commands.map((c) => ({ ...c, raw: bytesFromHex(c.raw) })),
    vm,
  );
  for (const [i, { raw, line }] of real.entries()) {
    if (i >= own.length) return;
    const expected = hex(raw);
    const got = hex(own[i].raw);
    const what = `command ${i} of the VM on the host's queue`;
    const place = { file: physical.file, line, what };
    report.checkAccel("hostQueue", place, expected === got ? undefined : { expected, got });
  }
}

function fromFirstTlbi<T extends { readonly raw: Uint8Array }>(
  list: readonly T[],
  { sids, vmid }: { readonly sids: ReadonlySet<number>; readonly vmid: number },
): T[] {
  const about = list.filter(({ raw }) => raw[0] !== SYNC && isAbout(raw, sids, vmid));
  const first = about.findIndex(({ raw }) => !BY_STREAM.includes(raw[0]));
  return first < 0 ? [] : about.slice(first);
}
