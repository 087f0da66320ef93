// An emulated SMMU whose guest memory is known only through the walks of a trace (QEMU 11.1
// smmu_ptw_level).
import { AddressMap, HostMemory } from "../engine/memory.ts";
import { Smmu } from "../engine/smmu.ts";
import type { Compat, Explanation } from "../engine/types.ts";
import type { AddressSpace } from "../pci/iommu.ts";
import { DriverPort } from "../smmu/driver-port.ts";
import { addressSize, TG0 } from "../smmu/host-ste.ts";
import { HostStreamTable } from "../smmu/host-stream-table.ts";
import { CD } from "../spec/cd.ts";
import { STE } from "../spec/ste.ts";
import { packFields } from "../spec/word.ts";
import { cfgiCd, cfgiSte } from "../tables/command.ts";
import type { TableMemory } from "../tables/memory.ts";
import type { GranuleShift } from "../tables/page-table.ts";
import { numberAfter, type TraceLine } from "./accel-trace.ts";
import { ReplayMemory } from "./replay-memory.ts";

/**
 * Where the stream table, CDs and queues lie that the trace does not show: above every guest's RAM.
 */
const OWN_TABLES = 0x0e00_0000_0000n;
const SID_BITS = 16;
const CONFIG_S1 = 5;
const DESCRIPTOR_BYTES = 8n;
const LAST_LEVEL = 3;
const INPUT_BITS_MAX = 48;
const OUTPUT_BITS = 44;

/** One descriptor that a walk read. */
export interface WalkStep {
  readonly line: number;
  readonly level: number;
  readonly address: bigint;
  readonly value: bigint;
  readonly table: bigint;
  readonly granule: GranuleShift;
}

/** Reads a smmu_ptw_level line: the descriptor is at baseaddr + 8 * offset. */
export function walkStep(line: TraceLine): WalkStep | undefined {
  const table = numberAfter(line, "baseaddr");
  const index = numberAfter(line, "offset");
  const value = numberAfter(line, "pte");
  const level = Number(numberAfter(line, "level") ?? -1n);
  const size = numberAfter(line, "subpage_sz") ?? 0n;
  const granule = ([12, 14, 16] as const).find(
    (g) => size === 2n ** BigInt(g + (LAST_LEVEL - level) * (g - 3)),
  );
  if (table === undefined || index === undefined || value === undefined || granule === undefined)
    return undefined;
  const address = table + DESCRIPTOR_BYTES * index;
  return { line: line.line, level, address, value, table, granule };
}

/** Table memory in pages that appear when they are written. */
class SparseTables implements TableMemory {
  private next = OWN_TABLES;

  constructor(private readonly memory: ReplayMemory) {}

  read64(pa: bigint): bigint {
    return this.memory.read(pa) ?? 0n;
  }

  write64(pa: bigint, value: bigint): void {
    this.memory.write(Number(pa), value, true);
  }

  allocate(bytes: number): bigint {
    const size = BigInt(bytes);
    const pa = ((this.next + size - 1n) / size) * size;
    this.next = pa + size;
    return pa;
  }

  release(): void {}
}

/** The emulated SMMU with what the trace tells of the guest's tables. */
export class FallbackSmmu {
  readonly port: DriverPort;
  /** The last translation, with every look-up and fetch. */
  last: Explanation | undefined;
  private readonly tables: SparseTables;
  private readonly streams: HostStreamTable;
  private readonly cds = new Map<number, { readonly at: bigint; ttb: bigint }>();

  private constructor(
    private readonly smmu: Smmu,
    private readonly memory: ReplayMemory,
    private readonly asid: bigint,
  ) {
    this.tables = new SparseTables(memory);
    this.port = new DriverPort(smmu, this.tables);
    this.streams = new HostStreamTable(this.port, SID_BITS);
  }

  /** `asid` is the one that the trace's invalidations name. */
  static async create(compat: Compat, asid: bigint): Promise<FallbackSmmu> {
    const host = HostMemory.create();
    const memory = new ReplayMemory(new AddressMap(host), host.memory, []);
    const smmu = await Smmu.create(host, memory.map, { compat, cache: "qemu" });
    return new FallbackSmmu(smmu, memory, asid);
  }

  /** Makes memory hold what a walk of the stream read. */
  prepare(sid: number, steps: readonly WalkStep[]): void {
    for (const { address, value } of steps) this.memory.write(Number(address), value, true);
    const [first] = steps;
    if (first === undefined) return;
    const known = this.cds.get(sid);
    if (known?.ttb === first.table) return;
    const at = known?.at ?? this.tables.allocate(CD.bytes);
    this.cds.set(sid, { at, ttb: first.table });
    for (const [i, word] of this.cdOf(first).entries())
      this.tables.write64(at + BigInt(i * 8), word);
    this.streams.write(sid, packFields(STE, { V: 1, Config: CONFIG_S1, S1ContextPtr: at }));
    this.port.issue([cfgiSte(sid), cfgiCd(sid, 0)]);
  }

  private cdOf({ level, granule, table }: WalkStep): bigint[] {
    const levels = LAST_LEVEL - level + 1;
    const bits = Math.min(INPUT_BITS_MAX, granule + levels * (granule - 3));
    return packFields(CD, {
      V: 1,
      T0SZ: 64 - bits,
      TG0: TG0[granule],
      EPD1: 1,
      IPS: addressSize(OUTPUT_BITS),
      AA64: 1,
      R: 1,
      A: 1,
      ASID: this.asid,
      TTB0: table,
    });
  }

  /** One access; direction is not in the trace, so it is a read. */
  translate(sid: number, iova: bigint, write = false): Explanation {
    this.last = this.smmu.explain({ sid, iova, write, privileged: false });
    return this.last;
  }

  /** The address space of a function behind it. */
  spaceOf(sid: number): AddressSpace {
    return {
      name: `smmuv3 sid 0x${sid.toString(16)}`,
      isGlobal: false,
      translate: (iova, write) => {
        const { pa, size, status, event } = this.translate(sid, iova, write);
        if (pa === undefined) return { fault: event?.name ?? status };
        return { gpa: pa, mask: (size ?? 1n) - 1n };
      },
    };
  }
}
