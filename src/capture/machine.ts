// Puts a machine together from a capture: everything as it was at the stop.

import type { FunctionDescription, MachineDescription } from "../machine/description.ts";
import { Machine, type MachineOptions } from "../machine/machine.ts";
import type { Capture } from "./capture.ts";
import { InputError } from "./errors.ts";
import type { FunctionState, Manifest } from "./manifest.ts";
import { idRegisters, registerWords } from "./registers.ts";

const MSIX_ENTRY_BYTES = 16;
const PAGE_MASK = 0xfffn;
/** Where QEMU's virt machine has its GICv2m frame. */
const V2M_BASE = 0x0802_0000n;

/**
 * The captured machine.
 * @throws InputError when the manifest's functions make no machine
 */
export async function machineOf(capture: Capture, options: MachineOptions = {}): Promise<Machine> {
  try {
    return await Machine.create(describeMachine(capture), options);
  } catch (error) {
    if (error instanceof InputError || !(error instanceof Error)) throw error;
    throw new InputError(capture.manifest.file, `the machine cannot be built: ${error.message}`);
  }
}

/** A capture as a machine description. */
export function describeMachine(capture: Capture): MachineDescription {
  const { manifest, image } = capture;
  const smmuOf = smmuOfSid(manifest);
  const sids = new Map(manifest.msis.map((msi) => [msi.bdf, msi.sid]));
  return {
    name: capture.name,
    attachMemory: (map) => image.attach(map),
    ram: manifest.ram,
    smmus: manifest.smmus.map((s) => ({
      base: s.base,
      id: idRegisters(s.regs),
      registers: registerWords(s.regs),
    })),
    msiController: msiController(manifest),
    functions: manifest.functions.map((f) => {
      const sid = sids.get(f.bdf);
      return { ...describeFunction(f, smmuOf(sid ?? f.requesterId)), sid };
    }),
  };
}

function describeFunction(f: FunctionState, smmu: number | null): FunctionDescription {
  return {
    bdf: f.bdf,
    config: f.config,
    extended: f.extended,
    msixTable: f.msix ? msixTable(f) : undefined,
    smmu,
  };
}

/** The vector table's bytes; vectors that the manifest leaves out are masked. */
function msixTable(f: FunctionState): Uint8Array | undefined {
  const vectors = f.msix?.vectors ?? [];
  const bytes = new Uint8Array(vectors.length * MSIX_ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  for (const { vector, address, data, masked } of vectors) {
    const at = vector * MSIX_ENTRY_BYTES;
    view.setBigUint64(at, address, true);
    view.setUint32(at + 8, data, true);
    view.setUint32(at + 12, masked ? 1 : 0, true);
  }
  return bytes;
}

function msiController(m: Manifest): MachineDescription["msiController"] {
  if (m.its) {
    return {
      its: {
        base: m.its.base,
        registers: m.its.regs,
        redistributors: m.redistributors.map(({ regs }) => ({
          typer: regs.get("TYPER") ?? 0n,
          propbaser: regs.get("PROPBASER") ?? 0n,
          pendbaser: regs.get("PENDBASER") ?? 0n,
          ctlr: Number(regs.get("CTLR") ?? 0n),
        })),
      },
    };
  }
  if (m.functions.length === 0) return null;
  const pa = m.msis.find((msi) => msi.pa !== undefined)?.pa;
  return { v2m: pa === undefined ? V2M_BASE : pa & ~PAGE_MASK };
}

/** The SMMU in front of a StreamID: what the manifest says of it, else of its bus. */
export function smmuOfSid(m: Manifest): (sid: number) => number | null {
  const known = new Map<number, number | null>();
  for (const msi of m.msis) known.set(msi.sid, msi.smmu);
  for (const s of m.streams) if (!known.has(s.sid)) known.set(s.sid, s.smmu);
  for (const f of m.functions) if (f.smmu !== undefined) known.set(f.requesterId, f.smmu);
  // A bus that nothing is known of hangs below the nearest root before it.
  const buses = [...known].map(([sid, smmu]) => ({ bus: sid >>> 8, smmu }));
  buses.sort((a, b) => a.bus - b.bus);
  const otherwise = m.smmus.length > 0 ? 0 : null;
  return (sid) => {
    const own = known.get(sid);
    if (own !== undefined) return own;
    const near = buses.findLast(({ bus }) => bus <= sid >>> 8);
    return near ? near.smmu : otherwise;
  };
}
