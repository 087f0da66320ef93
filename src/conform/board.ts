// The board that conformance programs run on: a `virt` machine with DMA masters on three PCI buses.

/** Where the machine's parts lie (QEMU's `virt`). */
export const ECAM = 0x4010000000n;
export const SMMU = 0x09050000n;
/** The first arm-smmuv3 that -device creates. */
const DYNAMIC_SMMU = 0x0c000000n;
export const ITS = 0x08080000n;
export const REDISTRIBUTOR = 0x080a0000n;
/** Guest-physical address that turns a 32-bit write into an LPI. */
export const DOORBELL = ITS + 0x10040n;

/** A machine behind the qtest protocol, ours or QEMU. */
export interface ProgramTarget {
  /** Where the SMMU's registers are. */
  readonly smmu: bigint;
  /** Which devices the board has; absent: all. */
  readonly dma?: BoardDma;
  /** Resets the machine: every device as after power-on, RAM kept. */
  reset(): Promise<void>;
  /** Sends requests in order; one answer each, without the leading "OK ". */
  send(requests: string[]): Promise<string[]>;
  /** Guest stores that are visible to every later request. */
  writeRam(blocks: { address: bigint; bytes: Uint8Array }[]): Promise<void>;
  readRam(address: bigint, length: number): Promise<Uint8Array>;
  /** The `smmu*` trace lines since the last call, in QEMU's form. */
  takeTrace(): string[];
}

/** Guest RAM of the board. */
export const RAM_BASE = 0x40000000n;
export const RAM_BYTES = 0x20000000;

/** A PCI function that can do DMA. */
export interface Master {
  sid: number;
  bar: bigint;
  kind: "testdev" | "edu" | "e1000";
}

/**
 * Where the BARs are: amid the PCI window, for a walk that goes astray should find nothing. The
 * functions of bus 0, edu, the e1000s, and a window of 1 MiB for each root port.
 */
const BARS = 0x2e7c0000n;
const EDU_BAR = 0x2e900000n;
const E1000_BARS = 0x2ea00000n;
const E1000_BAR_BYTES = 0x20000n;
const WINDOWS = 0x2e500000;
const BUSES = [0x00, 0x37, 0xfe];
const FUNCTIONS_PER_SLOT = 8;

/** Stages that the SMMU of a board has: QEMU's machine-wide one has both. */
export type BoardStage = "nested" | "1" | "2";

/** Where the SMMU of a board with these stages is. */
export const smmuOf = (stage: BoardStage): bigint => (stage === "nested" ? SMMU : DYNAMIC_SMMU);

/**
 * Which devices do DMA: iommu-testdev, edu and e1000, or e1000 in every place of the first, for a
 * QEMU that does not have it.
 */
export type BoardDma = "all" | "rings";

const slotFunction = (dma: BoardDma, place: string, fn: number): string => {
  const more = fn === 0 ? ",multifunction=on" : "";
  const name = dma === "all" ? "iommu-testdev" : "e1000";
  return `${name},${place}.${fn}${more}${dma === "all" ? "" : ",romfile="}`;
};

/** The arguments that create the board's functions. */
export function boardArguments(stage: BoardStage = "nested", dma: BoardDma = "all"): string[] {
  const args = ["-machine", "virt,acpi=off,gic-version=3"];
  if (stage === "nested") args.push("-machine", "iommu=smmuv3");
  else args.push("-device", `arm-smmuv3,primary-bus=pcie.0,stage=${stage}`);
  const device = (text: string) => args.push("-device", text);
  for (const slot of [1, 2]) {
    for (let fn = 0; fn < FUNCTIONS_PER_SLOT; fn++) {
      device(slotFunction(dma, `addr=0${slot}`, fn));
    }
  }
  device("edu,addr=03.0,dma_mask=0xffffffffffffffff");
  for (let fn = 0; fn < FUNCTIONS_PER_SLOT; fn++) device(slotFunction("rings", "addr=04", fn));
  for (const [i, slot] of [5, 6].entries()) {
    device(`pcie-root-port,id=rp${i + 1},addr=0${slot}.0,chassis=${i + 1}`);
    for (let fn = 0; fn < FUNCTIONS_PER_SLOT; fn++) {
      device(slotFunction(dma, `bus=rp${i + 1},addr=00`, fn));
    }
  }
  return args;
}

const hex = (value: bigint | number) => `0x${value.toString(16)}`;

/** Address of a function's configuration register. */
export function configAddress(sid: number, offset: number): bigint {
  return ECAM + BigInt(sid << 12) + BigInt(offset);
}

/** Numbers the buses, places the BARs, lets every function master the bus. */
export async function setUpBoard(machine: ProgramTarget): Promise<Master[]> {
  const kind = machine.dma === "rings" ? "e1000" : "testdev";
  const bytes = machine.dma === "rings" ? E1000_BAR_BYTES : 0x1000n;
  const bars = machine.dma === "rings" ? E1000_BARS + 0x100000n : BARS;
  const masters: Master[] = [];
  const requests: string[] = [];
  const config = (sid: number, offset: number, value: number, size: "b" | "w" | "l") =>
    requests.push(`write${size} ${hex(configAddress(sid, offset))} ${hex(value)}`);
  const add = (sid: number, bar: bigint, kind: Master["kind"]) => {
    config(sid, 0x10, Number(bar), "l");
    config(sid, 0x04, 6, "w");
    masters.push({ sid, bar, kind });
  };
  for (let i = 0; i < 2 * FUNCTIONS_PER_SLOT; i++) {
    add(8 + i, bars + BigInt(i) * bytes, kind);
  }
  add(3 << 3, EDU_BAR, "edu");
  for (let fn = 0; fn < FUNCTIONS_PER_SLOT; fn++) {
    add((4 << 3) | fn, E1000_BARS + BigInt(fn) * E1000_BAR_BYTES, "e1000");
  }
  for (const [i, slot] of [5, 6].entries()) {
    const port = slot << 3;
    const bus = BUSES[i + 1];
    const window = WINDOWS + i * 0x100000;
    config(port, 0x18, 0, "b");
    config(port, 0x19, bus, "b");
    config(port, 0x1a, bus, "b");
    config(port, 0x20, window >> 16, "w");
    config(port, 0x22, window >> 16, "w");
    config(port, 0x04, 6, "w");
    for (let fn = 0; fn < FUNCTIONS_PER_SLOT; fn++) {
      add((bus << 8) | fn, BigInt(window) + BigInt(fn) * bytes, kind);
    }
  }
  await machine.send(requests);
  return masters;
}

/** The requests that make iommu-testdev store 4-byte patterns over `bytes` bytes at `iova`. */
export function testdevWrite(master: Master, iova: bigint, bytes: number): string[] {
  const word = (value: number) => {
    const raw = Buffer.alloc(4);
    raw.writeUInt32LE(value >>> 0);
    return raw.toString("hex");
  };
  const low = word(Number(iova & 0xffffffffn));
  const high = word(Number(iova >> 32n));
  // From BAR+4: GVA (two words), LEN, RESULT, DBELL=1 (arm), ATTRS (non-secure), GPA (two words).
  const setup = low + high + word(bytes) + word(0) + word(1) + word(0xa) + word(0) + word(0);
  return [`write ${hex(master.bar + 4n)} 0x20 0x${setup}`, `read ${hex(master.bar)} 0x14`];
}

/** The requests that make edu copy between its buffer and `iova`; its DMA timer then fires. */
export function eduCopy(master: Master, iova: bigint, bytes: number, write: boolean): string[] {
  const buffer = 0x40000n;
  const register = (offset: bigint, value: bigint | number) =>
    `writeq ${hex(master.bar + offset)} ${hex(value)}`;
  return [
    register(0x80n, write ? buffer : iova),
    register(0x88n, write ? iova : buffer),
    register(0x90n, bytes),
    register(0x98n, write ? 3 : 1),
    "clock_step 200000000",
  ];
}

/** Offsets of an e1000's registers that a transmission needs. */
const E1000 = {
  icr: 0x00c0n,
  tctl: 0x0400n,
  tdbal: 0x3800n,
  tdbah: 0x3804n,
  tdlen: 0x3808n,
  tdh: 0x3810n,
  tdt: 0x3818n,
};

/** A ring of 16-byte descriptors, and which of them to work on. */
export interface Ring {
  iova: bigint;
  entries: number;
  head: number;
  tail: number;
}

/** The requests that make an e1000 transmit: writing TDT does it all. */
export function e1000Transmit(master: Master, ring: Ring): string[] {
  const register = (offset: bigint, value: bigint | number) =>
    `writel ${hex(master.bar + offset)} ${hex(value)}`;
  return [
    register(E1000.tctl, 0),
    register(E1000.tdbal, ring.iova & 0xffffffffn),
    register(E1000.tdbah, ring.iova >> 32n),
    register(E1000.tdlen, ring.entries * 16),
    register(E1000.tdh, ring.head),
    register(E1000.tdt, ring.head),
    register(E1000.tctl, 2),
    register(E1000.tdt, ring.tail),
  ];
}

/** The requests that read ICR, which clears it, and TDH. */
export const e1000State = (master: Master): string[] =>
  [E1000.icr, E1000.tdh].map((offset) => `readl ${hex(master.bar + offset)}`);
