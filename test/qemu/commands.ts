// Encodes the command queue entries that random programs use.
import type { Device } from "./devices.ts";
import type { CommandSpec } from "./spec.ts";
import { put } from "./tables.ts";

const NSNH_ALL = 0x30;
const NH_ALL = 0x10;
const NH_ASID = 0x11;
const NH_VA = 0x12;
const NH_VAA = 0x13;
const S12_VMALL = 0x28;
const S2_IPA = 0x2a;
const CFGI_STE = 0x03;
const CFGI_STE_RANGE = 0x04;
const CFGI_CD = 0x05;
const CFGI_CD_ALL = 0x06;
const SYNC = 0x46;

const OPCODES = [
  NSNH_ALL,
  NH_ALL,
  NH_ASID,
  NH_VA,
  NH_VA,
  NH_VA,
  NH_VAA,
  S2_IPA,
  S2_IPA,
  S12_VMALL,
  CFGI_STE,
  CFGI_STE_RANGE,
  CFGI_CD,
  CFGI_CD_ALL,
  CFGI_STE_RANGE,
  SYNC,
  0x01,
  0x02,
  NH_VA,
  S2_IPA,
];
/** Commands that some implementations refuse. */
const DOUBTFUL = [0x20, 0x22, 0x40, 0x44, 0x07, 0x00, 0x80, 0x33, 0x47, 0xff];

/** One 16-byte entry as two words. `faulty` allows commands that stop the queue. */
export function encodeCommand(
  spec: CommandSpec,
  device: Device,
  faulty: boolean,
): [bigint, bigint] {
  const words = [0n, 0n];
  const doubtful = spec.kind >= OPCODES.length;
  let opcode = OPCODES[spec.kind % OPCODES.length];
  if (doubtful) opcode = faulty ? DOUBTFUL[spec.range.num % DOUBTFUL.length] : NH_VA;
  put(words, 7, 0, opcode);
  if (opcode >= 0x10 && opcode < 0x40) encodeTlbi(words, spec, device, opcode);
  else if (opcode === SYNC) put(words, 13, 12, spec.range.tg);
  else encodeConfiguration(words, spec, device);
  return [words[0], words[1]];
}

function encodeTlbi(words: bigint[], spec: CommandSpec, device: Device, opcode: number): void {
  const page = device.pages[spec.page % device.pages.length];
  const { range } = spec;
  put(words, 47, 32, (device.vmid + (spec.near === 2 ? 1 : 0)) & 0xffff);
  put(words, 63, 48, (device.asid + (spec.near === -1 ? 1 : 0)) & 0xffff);
  const address = (opcode === S2_IPA ? page.ipa : page.iova) + BigInt(spec.near) * 0x1000n;
  words[1] |= BigInt.asUintN(64, address) & ~0xfffn;
  put(words, 64, 64, range.leaf ? 1 : 0);
  if (range.tg === 0) return;
  put(words, 16, 12, range.num);
  put(words, 24, 20, range.scale);
  put(words, 73, 72, range.ttl);
  put(words, 75, 74, range.tg);
}

function encodeConfiguration(words: bigint[], spec: CommandSpec, device: Device): void {
  const all = spec.kind === 14;
  const opcode = OPCODES[spec.kind];
  // Without stage 1 QEMU refuses CFGI_CD, but only for StreamIDs that some function has.
  const near = opcode === CFGI_CD || opcode === CFGI_CD_ALL ? 0 : spec.near;
  put(words, 63, 32, all ? 0 : Math.max(device.sid + near, 0));
  put(words, 64, 64, spec.range.leaf ? 1 : 0);
  if (OPCODES[spec.kind] === CFGI_STE_RANGE) put(words, 68, 64, all ? 31 : spec.range.num);
}
