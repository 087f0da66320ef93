// MSIs of edu through the SMMU to the ITS: the set-up of both, and random sequences of it all.
import fc from "fast-check";
import {
  configAddress,
  DOORBELL,
  ITS,
  type ProgramTarget,
  REDISTRIBUTOR,
  SMMU,
  setUpBoard,
} from "../../src/conform/board.ts";
import { put } from "./tables.ts";

/** StreamID and DeviceID of edu. */
export const EDU = 0x18;
/** IOVA of the page that leads to the doorbell, and of the message address in it. */
export const MSI_IOVA = 0xfef00000n;
export const MSI_ADDRESS = MSI_IOVA + (DOORBELL & 0xfffn);

const STRTAB = 0x44000000n;
const CD = 0x42200000n;
const ROOT = 0x48000000n;
/** Leaf descriptor of the MSI page. */
export const MSI_PTE = ROOT + 0x3000n + ((MSI_IOVA >> 12n) & 511n) * 8n;
const EVENTQ = 0x42100000n;
const DEVICE_TABLE = 0x45000000n;
const COLLECTION_TABLE = 0x45010000n;
const COMMANDS = 0x45020000n;
const ITT = 0x45030000n;
const PROPBASE = 0x45040000n;
/** Pending bits: 64 KiB; LPI 8192 is bit 0 of byte 1024. */
export const PENDING = 0x45050000n;
const TABLE_BYTES = 0x1000;
export const FIRST_LPI = 8192;

const hex = (value: bigint | number) => `0x${value.toString(16)}`;
const writeq = (at: bigint, value: bigint) => `writeq ${hex(at)} ${hex(value)}`;
const writel = (at: bigint, value: bigint | number) => `writel ${hex(at)} ${hex(value)}`;

/** Writes the doorbell's page (or another) into the leaf. */
export const mapMsi = (pa: bigint): string => writeq(MSI_PTE, pa === 0n ? 0n : pa | 0x443n);
/** Replaces the STE: 5 stage 1, 4 bypass, 0 abort. */
export const setConfig = (config: number): string =>
  writeq(STRTAB + BigInt(EDU * 64), BigInt(config * 2 + 1) | (config === 5 ? CD : 0n));

/** Commands for the SMMU: everything cached is forgotten. */
export function invalidateAll(prod: number): string[] {
  const entries: [bigint, bigint][] = [
    [0x04n, 31n],
    [0x30n, 0n],
    [0x46n, 0n],
  ];
  const lines = entries.flatMap(([low, high], i) => {
    const at = 0x42000000n + BigInt(((prod + i) % 256) * 16);
    return [writeq(at, low), writeq(at + 8n, high)];
  });
  return [...lines, writel(SMMU + 0x98n, (prod + 3) % 512)];
}

/** A 32-byte command of the ITS as four words. */
export function itsCommand(opcode: number, fields: [number, number, bigint | number][]): bigint[] {
  const words = [BigInt(opcode), 0n, 0n, 0n];
  for (const [hi, lo, value] of fields) put(words, hi, lo, value);
  return words;
}

export const mapd = (device: number, itt: bigint, size: number, valid = 1) => {
  const words = itsCommand(0x08, [
    [63, 32, device],
    [68, 64, size],
    [191, 191, valid],
  ]);
  words[2] |= itt;
  return words;
};
export const mapc = (icid: number, target: number, valid = 1) =>
  itsCommand(0x09, [
    [143, 128, icid],
    [179, 144, target],
    [191, 191, valid],
  ]);
export const mapti = (device: number, event: number, lpi: number, icid: number) =>
  itsCommand(0x0a, [
    [63, 32, device],
    [95, 64, event],
    [127, 96, lpi],
    [143, 128, icid],
  ]);
export const itsSync = () => itsCommand(0x05, []);

/** The place of the queue's next command. */
export class ItsQueue {
  #next = 0;
  /** Requests that queue commands and let the ITS run them. */
  push(commands: bigint[][]): string[] {
    const lines = commands.flatMap((words) => {
      const at = COMMANDS + BigInt(this.#next);
      this.#next = (this.#next + 32) % 4096;
      return words.map((word, i) => writeq(at + BigInt(i * 8), word));
    });
    return [...lines, writeq(ITS + 0x88n, BigInt(this.#next)), `readq ${hex(ITS + 0x90n)}`];
  }
}

/** Where the configuration bytes are and that all LPIs are enabled, priority 0xa0. */
const LPIS = 64;

/** Resets the machine; SMMU with one stage 1 mapping for edu, ITS on, edu's MSI enabled. */
export async function setUpMsi(machine: ProgramTarget, data = 5): Promise<void> {
  await machine.reset();
  await machine.writeRam([
    { address: DEVICE_TABLE, bytes: new Uint8Array(0x60000) },
    { address: ROOT, bytes: new Uint8Array(0x4000) },
    { address: EVENTQ, bytes: new Uint8Array(0x1000) },
  ]);
  await setUpBoard(machine);
  // T0SZ 32, EPD1, V, IPS 5, AA64, R, A, ASID 7.
  const cd = 0x20n | (1n << 30n) | (1n << 31n) | (5n << 32n) | ((7n << 41n) & (1n << 41n));
  const flags = (1n << 45n) | (1n << 46n) | (7n << 48n);
  const table = (level: bigint, shift: bigint) =>
    ROOT + level * 0x1000n + ((MSI_IOVA >> shift) & 511n) * 8n;
  await machine.send([
    writeq(CD, cd | flags),
    writeq(CD + 8n, ROOT + 0x1000n),
    writeq(table(1n, 30n), (ROOT + 0x2000n) | 3n),
    writeq(table(2n, 21n), (ROOT + 0x3000n) | 3n),
    setConfig(5),
    mapMsi(DOORBELL & ~0xfffn),
    writel(SMMU + 0x28n, 0xd75),
    writel(SMMU + 0x2cn, 2),
    writeq(SMMU + 0x90n, 0x42000008n),
    writeq(SMMU + 0xa0n, EVENTQ | 6n),
    writel(SMMU + 0x88n, 8),
    writeq(SMMU + 0x80n, STRTAB),
    writel(SMMU + 0x20n, 0xd),
    `memset ${hex(PROPBASE)} ${hex(LPIS)} 0xa1`,
    writeq(REDISTRIBUTOR + 0x70n, PROPBASE | 15n),
    writeq(REDISTRIBUTOR + 0x78n, PENDING),
    writel(REDISTRIBUTOR, 1),
    writeq(ITS + 0x100n, (1n << 63n) | DEVICE_TABLE),
    writeq(ITS + 0x108n, (1n << 63n) | COLLECTION_TABLE),
    writeq(ITS + 0x80n, (1n << 63n) | COMMANDS),
    writel(ITS, 1),
    ...message(MSI_ADDRESS, data),
  ]);
}

/** Programs edu's MSI message and enables it. */
export function message(address: bigint, data: number): string[] {
  const config = (offset: number, value: bigint | number) =>
    writel(configAddress(EDU, offset), value);
  return [
    config(0x44, address & 0xffffffffn),
    config(0x48, address >> 32n),
    config(0x4c, data),
    `writew ${hex(configAddress(EDU, 0x42))} 0x81`,
  ];
}

/** Raises and acknowledges edu's interrupt: one MSI. */
export const raise = (): string[] => [writel(0x2e900060n, 1), writel(0x2e900064n, 1)];

/** Everything that an MSI can leave behind. */
export async function observe(machine: ProgramTarget): Promise<Record<string, string>> {
  const part = async (at: bigint, bytes: number) =>
    Buffer.from(await machine.readRam(at, bytes))
      .toString("hex")
      .replace(/(00)+$/, "");
  const [prod, creadr, cwriter, ctlr] = await machine.send([
    `readl ${hex(SMMU + 0xa8n)}`,
    `readq ${hex(ITS + 0x90n)}`,
    `readq ${hex(ITS + 0x88n)}`,
    `readl ${hex(ITS)}`,
  ]);
  return {
    ...{ prod, creadr, cwriter, ctlr },
    events: await part(EVENTQ, 0x800),
    pending: await part(PENDING + BigInt(FIRST_LPI / 8), 0x100),
    devices: await part(DEVICE_TABLE, TABLE_BYTES),
    collections: await part(COLLECTION_TABLE, TABLE_BYTES),
    translations: await part(ITT, TABLE_BYTES),
  };
}

/** Numbers of the pending LPIs. */
export function pendingLpis(observed: Record<string, string>): number[] {
  return [...Buffer.from(observed.pending, "hex")].flatMap((byte, i) =>
    Array.from({ length: 8 }, (_, bit) => FIRST_LPI + i * 8 + bit).filter((_, bit) =>
      Boolean((byte >> bit) & 1),
    ),
  );
}

interface Step {
  kind: number;
  device: number;
  event: number;
  lpi: number;
  icid: number;
  size: number;
  valid: boolean;
}

/** A random sequence of ITS commands, messages and changes of the mapping. */
export const msiSequence: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    kind: fc.nat({ max: 20 }),
    device: fc.nat({ max: 2 }),
    event: fc.nat({ max: 9 }),
    lpi: fc.nat({ max: 15 }),
    icid: fc.nat({ max: 4 }),
    size: fc.nat({ max: 4 }),
    valid: fc.boolean(),
  }),
  { minLength: 4, maxLength: 40, size: "max" },
);

/** The requests of a random sequence. */
export function sequenceRequests(steps: Step[]): string[] {
  const queue = new ItsQueue();
  const first = [mapd(EDU, ITT, 3), mapc(0, 0), mapti(EDU, 5, FIRST_LPI + 7, 0), itsSync()];
  const lines = queue.push(first);
  let prod = 0;
  for (const s of steps) {
    const device = [EDU, EDU, 0x19][s.device];
    const target = (opcode: number) =>
      itsCommand(opcode, [
        [63, 32, device],
        [95, 64, s.event],
        [143, 128, s.icid],
      ]);
    const commands: Record<number, bigint[]> = {
      0: mapd(device, ITT + BigInt(s.device) * 0x100n, s.size, s.valid ? 1 : 0),
      1: mapc(s.icid, s.valid ? 0 : s.size, s.kind & 1),
      2: mapti(device, s.event, FIRST_LPI + s.lpi, s.icid),
      3: mapti(device, s.event, FIRST_LPI + s.lpi, 0),
      4: target(0x0b),
      5: target(0x01),
      6: target(0x03),
      7: target(0x04),
      8: target(0x0c),
      9: target(0x0f),
      10: itsCommand(0x0d, [[143, 128, s.icid]]),
      11: itsCommand(0x0e, []),
      12: itsCommand(0x30 + s.event, []),
      13: mapc(s.icid, 0),
    };
    if (s.kind in commands) lines.push(...queue.push([commands[s.kind]]));
    else if (s.kind < 18) lines.push(...message(MSI_ADDRESS, s.event), ...raise());
    else {
      lines.push(mapMsi([0n, DOORBELL & ~0xfffn, 0x50000000n][s.device]));
      if (s.valid) lines.push(...invalidateAll(prod));
      if (s.valid) prod = (prod + 3) % 512;
    }
  }
  return lines;
}
