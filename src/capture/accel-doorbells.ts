// Three ways of one message of an accelerated guest, side by side: nested walk, physical message,
// direct doorbell.
import type { Machine } from "../machine/machine.ts";
import { parseBdf, requesterIdOf } from "../pci/bdf.ts";
import { EVENT } from "../spec/event.ts";
import { GITS_TRANSLATER } from "../spec/its-register.ts";
import { getField, wordsOf } from "../spec/word.ts";
import { itsBase, readCalls } from "./accel-calls.ts";
import { ActionReader, bdfIn, numberAfter, type TraceLine, traceLines } from "./accel-trace.ts";
import { readText } from "./accel-views.ts";
import { type Capture, readList } from "./capture.ts";

/** One access and where the physical SMMU lets it go. */
export interface PhysicalAccess {
  iova: bigint;
  /** null: it faults. */
  pa: bigint | null;
  /** The fault's event, its stage, and the IPA of a stage 2 fault. */
  event: string | null;
  stage: 1 | 2 | null;
  ipa: bigint | null;
  fetches: number;
}

/** One vector of a passed-through function. */
export interface AccelDoorbell {
  /** The function on the host and its StreamID there. */
  hostBdf: string;
  hostSid: number;
  /** StreamID in the guest. */
  guestSid: number | null;
  vector: number;
  /** The message that the guest programmed, as the device itself would send it. */
  nested: PhysicalAccess;
  /** The message that the host programmed, as the device does send it. */
  physical: PhysicalAccess | null;
  /** What the vSMMU names for the route without looking at either. */
  direct: bigint;
}

/** Every vector that the VMM used, in order; none without a record of an accelerated VMM. */
export async function accelDoorbells(capture: Capture, machine: Machine): Promise<AccelDoorbell[]> {
  const trace = await readText(capture, "vmm-trace.txt");
  const log = await readList(capture, "vmm-ioctls.jsonl");
  if (trace === undefined || log === undefined) return [];
  const lines = traceLines(trace.text);
  const guestSids = guestSidsOf(lines);
  if (guestSids.size === 0) return [];
  const direct = itsBase(await readCalls(log.bytes, log.file)) + BigInt(GITS_TRANSLATER.offset);
  const found = new Map<string, AccelDoorbell>();
  for (const action of new ActionReader(lines, trace.file).actions()) {
    if (action.kind !== "use") continue;
    const fixup = action.effects.find(({ name }) => name === "kvm_arm_fixup_msi_route");
    const iova = /0x[0-9a-f]+/.exec(fixup?.text ?? "")?.[0];
    if (iova === undefined) continue;
    const { bdf, vector } = action;
    const { bus, devfn } = parseBdf(bdf);
    const hostSid = requesterIdOf(bus, devfn);
    const address = messageAddress(machine, bdf, vector);
    found.set(`${bdf} ${vector}`, {
      hostBdf: bdf,
      hostSid,
      guestSid: guestSids.get(bdf) ?? null,
      vector,
      nested: access(machine, hostSid, BigInt(iova)),
      physical: address === undefined ? null : access(machine, hostSid, address),
      direct,
    });
  }
  return [...found.values()];
}

/** Guest StreamID of each function, by its host address. */
function guestSidsOf(lines: readonly TraceLine[]): Map<string, number> {
  const bdfs = new Map<bigint | undefined, string>();
  const sids = new Map<string, number>();
  for (const line of lines) {
    const bdf = bdfIn(line);
    if (line.name === "iommufd_cdev_connect_and_bind" && bdf !== undefined)
      bdfs.set(numberAfter(line, "output devid"), bdf);
    if (line.name !== "iommufd_backend_alloc_vdev") continue;
    const owner = bdfs.get(numberAfter(line, "dev_id"));
    if (owner !== undefined) sids.set(owner, Number(numberAfter(line, "virt_id") ?? 0n));
  }
  return sids;
}

/** Address that the host put into the function's own vector table. */
function messageAddress(machine: Machine, bdf: string, vector: number): bigint | undefined {
  const fn = machine.functions.find((f) => f.bdf === bdf);
  const found = fn?.vectors().find((v) => v.vector === vector)?.message.address;
  return found === 0n ? undefined : found;
}

function access(machine: Machine, sid: number, iova: bigint): PhysicalAccess {
  const [smmu] = machine.smmus;
  const { pa, event, status, fetches } = smmu.translate({
    sid,
    iova,
    write: true,
    privileged: false,
  });
  if (pa !== undefined) return { iova, pa, event: null, stage: null, ipa: null, fetches };
  const none = { iova, pa: null, event: event?.name ?? status, fetches };
  if (event === undefined) return { ...none, stage: null, ipa: null };
  const words = wordsOf(event.record);
  const isStage2 = EVENT.caseOf(event.type)?.field.S2 !== undefined && getField(EVENT, words, "S2");
  if (isStage2 !== 1n) return { ...none, stage: 1, ipa: null };
  return { ...none, stage: 2, ipa: getField(EVENT, words, "IPA") };
}
