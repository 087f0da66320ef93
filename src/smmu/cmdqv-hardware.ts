// The Tegra241 CMDQV: virtual interfaces whose queues take a guest's invalidations from its memory
// (tegra241-cmdqv.c).
import type { AddressMap } from "../engine/memory.ts";
import type { Smmu } from "../engine/smmu.ts";
import { CERROR, CMD } from "../spec/command.ts";
import {
  TEGRA241_VCMDQ_CONFIG,
  TEGRA241_VCMDQ_CONS,
  TEGRA241_VCMDQ_PROD,
  TEGRA241_VCMDQ_STATUS,
} from "../spec/tegra241.ts";
import { bytesOf, getField, packFields, setField, wordsOf } from "../spec/word.ts";
import { fail } from "../vfio/errno.ts";
import type { CmdqvInfo, DevicePage, HostVintf } from "../vfio/iommufd/driver.ts";
import {
  CMDQ_ERR,
  CMDQV_PAGE,
  PAGE0,
  QUEUE_STRIDE,
  type QueueRegisters,
  queueMember,
  resetQueue,
} from "./cmdqv-registers.ts";

const opcodeOf = (name: keyof typeof CMD.cases): number => CMD.cases[name].value as number;
const cerror = (name: string): number =>
  Number(Object.entries(CERROR.values).find(([, n]) => n === name)?.[0]);
const ABORT = cerror("ABT");
/** A command that a guest's queue may not hold. */
const ILL_ACCESS = 4;
const NO_COMPLETION = 0n;
const SYNC = opcodeOf("CMD_SYNC");
const ATC_INV = opcodeOf("CMD_ATC_INV");
const BY_VMID: readonly number[] = [opcodeOf("CMD_TLBI_NH_ASID"), opcodeOf("CMD_TLBI_NH_VA")];
/** Bytes of an error map: 64 queues, twice. */
const ERROR_MAP_BYTES = 16;
const MMAP_OFFSET = 0x1000n;

/** One queue while it runs. */
interface RunningQueue {
  readonly pa: bigint;
  readonly log2: number;
  readonly registers: QueueRegisters;
}

/** How much the unit has. */
export interface CmdqvHardwareOptions {
  readonly smmu: Smmu;
  /** Host-physical memory. */
  readonly map: AddressMap;
  readonly info?: CmdqvInfo;
  /** Virtual interfaces for guests. Default 1. */
  readonly interfaces?: number;
  /** log2 of the entries of the largest queue. Default 19. */
  readonly maxLog2Entries?: number;
}

/** The unit of one physical SMMU. */
export class CmdqvHardware {
  readonly info: CmdqvInfo;
  private readonly taken = new Set<Vintf>();

  constructor(readonly options: CmdqvHardwareOptions) {
    this.info = options.info ?? { version: 1, log2vcmdqs: 1, log2vsids: 4 };
  }

  /** A virtual interface for a guest. ENOSPC when none is free. */
  allocate(vmid: number): HostVintf {
    if (this.taken.size >= (this.options.interfaces ?? 1))
      fail("ENOSPC", "no virtual interface of the CMDQV is free");
    const made = new Vintf(this, vmid, () => this.taken.delete(made));
    this.taken.add(made);
    return made;
  }
}

/** One virtual interface: its own queues, VMID and StreamIDs. */
class Vintf implements HostVintf {
  readonly mmapOffset = MMAP_OFFSET;
  readonly mmapBytes = BigInt(CMDQV_PAGE);
  readonly queues: number;
  readonly maxLog2Entries: number;
  readonly page: DevicePage;
  onErrors: ((map: Uint8Array) => void) | undefined;
  private readonly sids: ({ readonly vsid: bigint; readonly sid: number } | undefined)[];
  private readonly running: (RunningQueue | undefined)[] = [];

  constructor(
    private readonly unit: CmdqvHardware,
    private readonly vmid: number,
    readonly release: () => void,
  ) {
    const { info, options } = unit;
    this.queues = 2 ** info.log2vcmdqs;
    this.maxLog2Entries = options.maxLog2Entries ?? 19;
    this.sids = new Array(2 ** info.log2vsids).fill(undefined);
    this.page = {
      read: (offset) => this.read(offset),
      write: (offset, value) => this.write(offset, value),
    };
  }

  matchSid(vsid: bigint, sid: number): number {
    const slot = this.sids.indexOf(undefined);
    if (slot < 0) fail("ENOSPC", `all ${this.sids.length} StreamIDs of the interface are used`);
    this.sids[slot] = { vsid, sid };
    return slot;
  }

  unmatchSid(slot: number): void {
    this.sids[slot] = undefined;
  }

  startQueue(index: number, pa: bigint, log2Entries: number): void {
    this.running[index] = { pa, log2: log2Entries, registers: resetQueue() };
  }

  stopQueue(index: number): void {
    this.running[index] = undefined;
  }

  private read(offset: number): number {
    const member = queueMember(offset % QUEUE_STRIDE);
    const queue = this.running[Math.floor(offset / QUEUE_STRIDE)];
    return member === undefined || queue === undefined ? 0 : queue.registers[member];
  }

  private write(offset: number, value: number): void {
    const index = Math.floor(offset / QUEUE_STRIDE);
    const queue = this.running[index];
    if (queue === undefined) return;
    const { registers } = queue;
    switch (offset % QUEUE_STRIDE) {
      case PAGE0.CONS:
        registers.cons = value;
        break;
      case PAGE0.PROD:
        registers.prod = value;
        break;
      case PAGE0.GERRORN:
        registers.gerrorn = value;
        break;
      case PAGE0.CONFIG:
        registers.config = value;
        registers.status = statusOf(value);
        break;
      default:
        return;
    }
    this.consume(index, queue);
  }

  /** Takes commands until the queue is empty, off, or stopped by an error. */
  private consume(index: number, { pa, log2, registers }: RunningQueue): void {
    const wrap = 2 ** (log2 + 1);
    const isStopped = (): boolean =>
      registers.status === 0 || registers.gerror % 2 !== registers.gerrorn % 2;
    while (!isStopped()) {
      const rd = Number(getField(TEGRA241_VCMDQ_CONS, [BigInt(registers.cons)], "RD")) % wrap;
      const wr = Number(getField(TEGRA241_VCMDQ_PROD, [BigInt(registers.prod)], "WR")) % wrap;
      if (rd === wr) return;
      const at = pa + BigInt((rd % 2 ** log2) * CMD.bytes);
      const raw = this.unit.options.map.readBytes(at, CMD.bytes);
      const code = raw === undefined ? ABORT : this.execute(raw);
      if (code === 0) {
        registers.cons = Number(packFields(TEGRA241_VCMDQ_CONS, { RD: (rd + 1) % wrap })[0]);
        continue;
      }
      registers.cons = Number(packFields(TEGRA241_VCMDQ_CONS, { RD: rd, ERR: code })[0]);
      registers.gerror = registers.gerrorn + (registers.gerrorn % 2 === 0 ? CMDQ_ERR : -CMDQ_ERR);
      this.raise(index);
    }
  }

  /** The few commands that a guest's queue may hold, with the VM's own VMID and StreamID. */
  private execute(raw: Uint8Array): number {
    const words = wordsOf(raw);
    const opcode = Number(getField(CMD, words, "Opcode"));
    if (opcode === SYNC) return getField(CMD, words, "SYNC.CS") === NO_COMPLETION ? 0 : ILL_ACCESS;
    if (BY_VMID.includes(opcode)) setField(CMD, words, "TLBI.VMID", this.vmid);
    else if (opcode === ATC_INV) {
      const vsid = getField(CMD, words, "StreamID");
      const found = this.sids.find((s) => s?.vsid === vsid);
      if (found === undefined) return ILL_ACCESS;
      setField(CMD, words, "StreamID", found.sid);
    } else return ILL_ACCESS;
    return this.unit.options.smmu.executeCommand(bytesOf(words));
  }

  private raise(index: number): void {
    const map = new Uint8Array(ERROR_MAP_BYTES);
    new DataView(map.buffer).setBigUint64(0, 2n ** BigInt(index), true);
    this.onErrors?.(map);
  }
}

/** STATUS for a CONFIG value. */
function statusOf(config: number): number {
  const ENABLED = getField(TEGRA241_VCMDQ_CONFIG, [BigInt(config)], "EN");
  return Number(packFields(TEGRA241_VCMDQ_STATUS, { ENABLED })[0]);
}
