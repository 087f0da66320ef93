// How the host kernel rewrites a guest's invalidation commands before it issues them (Linux 7.2;
// IHI0070 4.3, 4.4).
import { CMD } from "../../spec/command.ts";
import { IDR3, IDR5 } from "../../spec/register-id.ts";
import { bytesOf, getField, packFields, reservedSet, setField, wordsOf } from "../../spec/word.ts";
import { fail } from "../errno.ts";
import type { HwInfo } from "./driver.ts";

/** Which kernel's rules hold: 7.2, or the series that follows it. */
export type KernelVersion = "7.2" | "next";

export const COMMAND_BYTES = 16;

/** What the conversion needs to know about the vIOMMU. */
export interface Conversion {
  readonly vmid: number;
  /** The StreamID of a guest StreamID, or undefined without a vDEVICE. */
  sidOf(vsid: bigint): number | undefined;
  readonly info: HwInfo;
  readonly kernel: KernelVersion;
}

const opcodeOf = (name: keyof typeof CMD.cases): number => CMD.cases[name].value as number;

const NSNH_ALL = opcodeOf("CMD_TLBI_NSNH_ALL");
const BY_VMID = new Set(
  (["CMD_TLBI_NH_VA", "CMD_TLBI_NH_VAA", "CMD_TLBI_NH_ALL", "CMD_TLBI_NH_ASID"] as const).map(
    opcodeOf,
  ),
);
const BY_STREAM = new Set(
  (["CMD_ATC_INV", "CMD_CFGI_CD", "CMD_CFGI_CD_ALL"] as const).map(opcodeOf),
);
const RANGED = new Set((["CMD_TLBI_NH_VA", "CMD_TLBI_NH_VAA"] as const).map(opcodeOf));

/** True for the opcodes that the kernel takes in an invalidation array. */
const isForwardable = (opcode: number): boolean =>
  opcode === NSNH_ALL || BY_VMID.has(opcode) || BY_STREAM.has(opcode);

/**
 * Converts one 16-byte guest command: VMID and StreamID are the host's, TLBI_NSNH_ALL is narrowed
 * to the VM. EIO for every other opcode, an unknown guest StreamID and, with the next kernel, for
 * bits that make the command illegal on the host queue.
 */
export function convertCommand(raw: Uint8Array, how: Conversion): Uint8Array {
  const words = wordsOf(raw);
  const opcode = Number(getField(CMD, words, "Opcode"));
  if (!isForwardable(opcode)) fail("EIO", `opcode 0x${opcode.toString(16)} is not an invalidation`);
  if (how.kernel === "next") refuseUnsupported(opcode, words, how.info);
  if (opcode === NSNH_ALL)
    return bytesOf(packFields(CMD, { Opcode: opcodeOf("CMD_TLBI_NH_ALL"), "TLBI.VMID": how.vmid }));
  if (BY_VMID.has(opcode)) return bytesOf(setField(CMD, words, "TLBI.VMID", how.vmid));
  const vsid = getField(CMD, words, "StreamID");
  const sid = how.sidOf(vsid);
  if (sid === undefined) fail("EIO", `no vDEVICE has the guest StreamID 0x${vsid.toString(16)}`);
  return bytesOf(setField(CMD, words, "StreamID", sid));
}

/** The next kernel's check: reserved bits, and range fields that this SMMU does not have. */
function refuseUnsupported(opcode: number, words: bigint[], info: HwInfo): void {
  const layout = CMD.caseOf(opcode);
  const [reserved] = layout === undefined ? [] : reservedSet(layout, words);
  if (reserved !== undefined)
    fail("EIO", `reserved bits ${reserved.position} of command 0x${opcode.toString(16)} are set`);
  if (!RANGED.has(opcode)) return;
  const [num, scale, ttl, tg] = (["TLBI.NUM", "TLBI.SCALE", "TLBI.TTL", "TLBI.TG"] as const).map(
    (name) => getField(CMD, words, name),
  );
  const none = num === 0n && scale === 0n && ttl === 0n;
  if (tg === 0n && !none) fail("EIO", "NUM, SCALE or TTL is set without TG");
  if (tg === 0n) return;
  if (getField(IDR3, [BigInt(info.idr[3])], "RIL") === 0n)
    fail("EIO", "this SMMU has no range invalidation");
  if (none) fail("EIO", "TG is set, but NUM, SCALE and TTL are all 0");
  const idr5 = [BigInt(info.idr[5])];
  const has = [
    getField(IDR5, idr5, "GRAN4K"),
    getField(IDR5, idr5, "GRAN16K"),
    getField(IDR5, idr5, "GRAN64K"),
  ];
  if (has[Number(tg) - 1] === 0n) fail("EIO", "this SMMU does not have the granule TG");
  if (scale >= 1n << 5n) fail("EIO", "SCALE has bit 5 set without IDR5.DS");
}
