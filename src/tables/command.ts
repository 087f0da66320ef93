// Builds the commands that host drivers and guests put on a command queue (IHI0070 4).
import { CMD } from "../spec/command.ts";
import { bytesOf, packFields } from "../spec/word.ts";

type CommandName = keyof typeof CMD.cases;
type CommandFields = Parameters<typeof packFields<keyof typeof CMD.field & string>>[1];

/** CS of a CMD_SYNC that completes with an event instead of an interrupt. */
const CS_SEV = 2;

/** The 16 bytes of a command by its name. */
export function command(name: CommandName, fields: CommandFields = {}): Uint8Array {
  return bytesOf(packFields(CMD, { ...fields, Opcode: CMD.cases[name].value }));
}

/** CMD_SYNC as Linux sends it: poll CONS, no interrupt. */
export const sync = (): Uint8Array =>
  command("CMD_SYNC", { "SYNC.CS": CS_SEV, "SYNC.MSH": 3, "SYNC.MSIAttr": 15 });

export const cfgiSte = (sid: number): Uint8Array =>
  command("CMD_CFGI_STE", { StreamID: sid, "CFGI.Leaf": 1 });

export const prefetchConfig = (sid: number): Uint8Array =>
  command("CMD_PREFETCH_CONFIG", { StreamID: sid });

export const tlbiNhAll = (vmid: number): Uint8Array =>
  command("CMD_TLBI_NH_ALL", { "TLBI.VMID": vmid });

export const tlbiNhAsid = (asid: number): Uint8Array =>
  command("CMD_TLBI_NH_ASID", { "TLBI.ASID": asid });

export const tlbiNhVa = (asid: number, va: bigint): Uint8Array =>
  command("CMD_TLBI_NH_VA", { "TLBI.ASID": asid, "TLBI.Leaf": 1, "TLBI.Address": va });

export const cfgiCd = (sid: number, ssid: number): Uint8Array =>
  command("CMD_CFGI_CD", { StreamID: sid, SubstreamID: ssid, "CFGI.Leaf": 1 });

export const tlbiS12Vmall = (vmid: number): Uint8Array =>
  command("CMD_TLBI_S12_VMALL", { "TLBI.VMID": vmid });

export const tlbiS2Ipa = (vmid: number, ipa: bigint): Uint8Array =>
  command("CMD_TLBI_S2_IPA", { "TLBI.VMID": vmid, "TLBI.Leaf": 1, "TLBI.Address": ipa });
