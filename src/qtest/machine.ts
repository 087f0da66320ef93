// A `virt`-like machine behind the qtest protocol: RAM, PCI, an SMMUv3 in front of it, an ITS.

import type { IdRegisters } from "../engine/identity.ts";
import { AddressMap, HostMemory } from "../engine/memory.ts";
import { Smmu } from "../engine/smmu.ts";
import type { Compat, TranslateRequest, Translation } from "../engine/types.ts";
import { Its } from "../gic/its.ts";
import { requesterIdOfFunction } from "../pci/bus.ts";
import type { PciFunction } from "../pci/function.ts";
import { PCI_COMMAND } from "../spec/pci.ts";
import type { Arguments, Spec } from "./arguments.ts";
import { Bus, bytesFrom, type MmioDevice } from "./bus.ts";
import { dmaPieces } from "./dma.ts";
import { e1000 } from "./e1000.ts";
import { edu } from "./edu.ts";
import type { Endpoint } from "./function.ts";
import { GICD_BYTES, GICR_BYTES, GicFrames, itsFrames } from "./gic.ts";
import { FLASHES, mapVirt, PCI_WINDOWS, VIRT } from "./memory-map.ts";
import { ECAM_BYTES, PciHost } from "./pci.ts";
import type { ProtocolTarget } from "./protocol.ts";
import { testdev } from "./testdev.ts";
import { matcher, readsNestedSte, translationLines } from "./trace.ts";

const SMMU_BYTES = 0x20000;
const ITS_BYTES = 0x20000;
const COMMAND = 4;
const DMA_MASK_DEFAULT = 0xfffffffn;
/** What differs in the ID registers of QEMU's arm-smmuv3 by its `stage` property. */
const ID_OF_STAGE: Record<string, Partial<IdRegisters>> = {
  "1": { idr0: 0x0d44101a, idr3: 0x1404 },
  "2": { idr0: 0x0d441019 },
  nested: {},
};

interface Timer {
  due: bigint;
  run: () => void;
}

/** Where the machine's trace goes. */
export type TraceSink = (lines: string[]) => void;

/** The machine. `request` lines come through src/qtest/protocol.ts. */
export class QtestMachine implements ProtocolTarget {
  readonly bus: Bus;
  readonly #smmu: Smmu | undefined;
  readonly #its: Its;
  readonly #gic: GicFrames;
  readonly #pci: PciHost;
  readonly #traced: (name: string) => boolean;
  readonly #sink: TraceSink;
  readonly #disabled: boolean;
  readonly #compat: Compat;
  /** Whether the configuration that a StreamID uses has both stages. */
  readonly #nested = new Map<number, boolean>();
  #clock = 0n;
  #timers: Timer[] = [];

  private constructor(
    args: Arguments,
    parts: { bus: Bus; smmu: Smmu | undefined; its: Its; sink: TraceSink },
  ) {
    this.bus = parts.bus;
    this.#smmu = parts.smmu;
    this.#its = parts.its;
    this.#sink = parts.sink;
    this.#traced = matcher(args.traces);
    this.#disabled = args.disableSmmu;
    this.#compat = args.compat;
    this.#gic = new GicFrames(parts.its);
    this.#pci = new PciHost();
    for (const spec of args.devices) {
      if (spec.name !== "arm-smmuv3") this.#pci.add(spec, (...of) => this.#endpoint(...of));
    }
    const { bus } = this;
    bus.add(VIRT.gicd, GICD_BYTES, this.#gic.distributor);
    bus.add(VIRT.gicr, GICR_BYTES, this.#gic.redistributor);
    bus.add(VIRT.its, ITS_BYTES, itsFrames(parts.its));
    bus.add(VIRT.ecam, ECAM_BYTES, this.#pci.ecam);
    for (const [base, bytes] of PCI_WINDOWS) bus.add(base, bytes, this.#pci.window(base));
  }

  /**
   * Builds the machine that the command line describes; `id` replaces ID registers of its SMMU.
   * Throws an Error when it cannot be built.
   */
  static async create(
    args: Arguments,
    sink: TraceSink = () => {},
    id: Partial<IdRegisters> = {},
  ): Promise<QtestMachine> {
    const memory = HostMemory.create();
    const map = new AddressMap(memory);
    mapVirt(map, args.ramBytes);
    const bus = new Bus(map);
    bus.addMemory(VIRT.ram, args.ramBytes, true);
    for (const [base, bytes] of FLASHES) bus.addMemory(base, bytes, false);
    const dynamic = args.devices.find((d) => d.name === "arm-smmuv3");
    const has = args.machine.props.iommu === "smmuv3" || dynamic !== undefined;
    const stage = dynamic?.props.stage ?? "nested";
    const stageId = ID_OF_STAGE[stage];
    if (stageId === undefined) throw new Error(`-device arm-smmuv3: stage=${stage} is not known`);
    const { compat } = args;
    const smmu = has
      ? await Smmu.create(memory, map, { compat, id: { ...stageId, ...id } })
      : undefined;
    const its = await Its.create(memory, map, { base: VIRT.its, model: "qemu", compat });
    const machine = new QtestMachine(args, { bus, smmu, its, sink });
    if (smmu) {
      const base = dynamic ? VIRT.dynamicSmmu : VIRT.smmu;
      bus.add(base, SMMU_BYTES, machine.#smmuFrames(smmu));
    }
    return machine;
  }

  get clock(): bigint {
    return this.#clock;
  }

  /** Every device as after power-on; RAM is kept. */
  reset(): void {
    this.#smmu?.reset();
    this.#its.reset();
    this.#gic.reset();
    this.#pci.reset();
    this.#timers = [];
  }

  clockStep(ns?: bigint): boolean {
    if (ns !== undefined) this.clockSet(this.#clock + ns);
    else {
      const next = this.#timers.reduce<bigint | undefined>(
        (least, { due }) => (least === undefined || due < least ? due : least),
        undefined,
      );
      if (next === undefined) return false;
      this.clockSet(next);
    }
    return true;
  }

  clockSet(ns: bigint): void {
    for (;;) {
      const due = this.#timers.filter((t) => t.due <= ns).sort((a, b) => (a.due < b.due ? -1 : 1));
      if (due.length === 0) break;
      this.#timers.splice(this.#timers.indexOf(due[0]), 1);
      if (due[0].due > this.#clock) this.#clock = due[0].due;
      due[0].run();
    }
    if (ns > this.#clock) this.#clock = ns;
  }

  #endpoint(spec: Spec, devfn: number, multi: boolean): Endpoint | undefined {
    const dmaWrite = (fn: PciFunction, iova: bigint, data: Uint8Array) =>
      this.#dmaWrite(fn, iova, data);
    if (spec.name === "iommu-testdev") {
      const readPhysical = (pa: bigint, bytes: number) => this.bus.read(pa, bytes);
      return testdev(devfn, multi, { dmaWrite, readPhysical });
    }
    const dmaRead = (fn: PciFunction, iova: bigint, bytes: number) =>
      this.#dmaRead(fn, iova, bytes);
    if (spec.name === "e1000") return e1000(devfn, multi, { dmaRead, dmaWrite });
    if (spec.name !== "edu") return undefined;
    const mask = spec.props.dma_mask;
    return edu(devfn, multi, {
      dmaMask: mask === undefined ? DMA_MASK_DEFAULT : BigInt(mask),
      dmaWrite,
      dmaRead,
      signal: (fn) => this.#signal(fn),
      after: (ns, run) => this.#timers.push({ due: this.#clock + ns, run }),
    });
  }

  /** An MSI is a 4-byte store of the function through its IOMMU. */
  #signal(fn: PciFunction): void {
    if (!fn.msi?.enabled || fn.msi.isMasked(0)) return;
    const { address, data } = fn.msi.message(0);
    this.#dmaWrite(fn, address, bytesFrom(BigInt(data), 4));
  }

  #dmaWrite(fn: PciFunction, iova: bigint, data: Uint8Array): boolean {
    if (!masters(fn)) return false;
    const sid = requesterIdOfFunction(fn);
    let done = 0;
    let complete = true;
    for (const piece of this.#pieces(sid, iova, data.length, true)) {
      const part = data.subarray(done, done + piece.bytes);
      complete = piece.pa !== undefined && this.bus.write(piece.pa, part, sid) && complete;
      done += piece.bytes;
    }
    return complete;
  }

  /** What the function gets; bytes that do not come through stay zero. */
  #dmaRead(fn: PciFunction, iova: bigint, bytes: number): Uint8Array {
    const data = new Uint8Array(bytes);
    if (!masters(fn)) return data;
    let done = 0;
    for (const piece of this.#pieces(requesterIdOfFunction(fn), iova, bytes, false)) {
      const part = piece.pa === undefined ? undefined : this.bus.read(piece.pa, piece.bytes);
      if (part) data.set(part, done);
      done += piece.bytes;
    }
    return data;
  }

  #pieces(sid: number, iova: bigint, bytes: number, write: boolean) {
    const access = { sid, iova, bytes, write };
    const direct = (pa: bigint) => this.bus.directBytes(pa, write);
    return dmaPieces(access, direct, (request) => this.#translate(request), this.#compat);
  }

  #translate(request: TranslateRequest): Translation {
    const smmu = this.#smmu;
    if (!smmu || this.#disabled) {
      return { status: "bypass", pa: request.iova, perm: 3, fetches: 0 };
    }
    const result = smmu.explain(request);
    const { sid, iova } = request;
    const nested = readsNestedSte(result.steps);
    if (nested !== undefined) this.#nested.set(sid, nested);
    this.#trace(translationLines(sid, iova, result, this.#nested.get(sid) ?? false));
    return result;
  }

  #trace(lines: string[]): void {
    const wanted = lines.filter((line) => this.#traced(line.slice(0, line.indexOf(" "))));
    if (wanted.length > 0) this.#sink(wanted);
  }

  #smmuFrames(smmu: Smmu): MmioDevice {
    const note = (name: string, offset: number, value: bigint, size: number) =>
      this.#trace([
        `smmuv3_${name}_mmio addr: 0x${offset.toString(16)} val:0x${value.toString(16)} ` +
          `size: 0x${size.toString(16)}(0)`,
      ]);
    return {
      read(offset, size) {
        if (size !== 4 && size !== 8) return 0n;
        const value = smmu.readRegister(offset, size);
        note("read", offset, value, size);
        return value;
      },
      write(offset, size, value) {
        if (size !== 4 && size !== 8) return true;
        smmu.writeRegister(offset, value, size);
        note("write", offset, value, size);
        return true;
      },
    };
  }
}

/** Whether software lets the function do DMA. */
const masters = (fn: PciFunction): boolean =>
  fn.config.number(PCI_COMMAND, COMMAND, "BusMaster") === 1;
