// The guest's memory in an accelerated run: commands and STEs, put there just before the trace
// shows their effect.
import { CMD } from "../spec/command.ts";
import { CMDQ_BASE, CMDQ_CONS } from "../spec/register-queue.ts";
import { L1STD, STE } from "../spec/ste.ts";
import { getField, packFields } from "../spec/word.ts";
import { command, sync } from "../tables/command.ts";
import { VSTE_CONFIG } from "../vfio/iommufd/vste.ts";
import type { AccelRig } from "./accel-rig.ts";
import { numberAfter, type TraceLine } from "./accel-trace.ts";
import { bytesFromHex } from "./field.ts";

const COMMAND_BYTES = CMD.bytes;
const FORWARDED = "iommufd_backend_invalidate_cache";

type CommandName = keyof typeof CMD.cases;

/** Where the bytes of the guest's commands come from. */
export interface CommandSource {
  /** Every command in order, when the capture has them. */
  readonly raw: readonly string[] | undefined;
  /** The commands that were forwarded, in order. */
  readonly forwarded: readonly string[];
}

/** Lines of one command, from its opcode to the next. */
export interface CommandLines {
  readonly name: string;
  readonly lines: readonly TraceLine[];
}

function splitCommands(effects: readonly TraceLine[]): CommandLines[] {
  const groups: { name: string; lines: TraceLine[] }[] = [];
  for (const line of effects) {
    const opcode = /SMMU_(CMD_\w+)/.exec(line.text)?.[1];
    if (line.name === "smmuv3_cmdq_opcode") groups.push({ name: opcode ?? "", lines: [] });
    else groups.at(-1)?.lines.push(line);
  }
  return groups;
}

/** Puts what the guest wrote into its memory. */
export class AccelGuestMemory {
  /** Commands on the host's queue when the first forwarded command had to be guessed. */
  certain = Number.POSITIVE_INFINITY;
  private taken = 0;
  private forwarded = 0;

  constructor(
    private readonly rig: AccelRig,
    private readonly source: CommandSource,
  ) {}

  /** Before a register write: the commands that it makes available, and the STEs that they name. */
  prepare(effects: readonly TraceLine[]): void {
    const commands = splitCommands(effects);
    const { accel } = this.rig;
    const base = [accel.readRegister(CMDQ_BASE.offset, 8)];
    const log2 = Number(getField(CMDQ_BASE, base, "LOG2SIZE"));
    const at = Number(getField(CMDQ_BASE, base, "ADDR"));
    const cons = Number(getField(CMDQ_CONS, [accel.readRegister(CMDQ_CONS.offset)], "RD"));
    for (const [i, one] of commands.entries()) {
      const index = (cons + i) % 2 ** log2;
      this.rig.memory.writeBytes(at + index * COMMAND_BYTES, this.bytesOf(one));
    }
    this.placeStes(effects);
  }

  private bytesOf(one: CommandLines): Uint8Array {
    const own = this.source.raw?.[this.taken++];
    const isForwarded = one.lines.some(({ name }) => name === FORWARDED);
    const logged = isForwarded ? this.source.forwarded[this.forwarded++] : undefined;
    const known = own ?? logged;
    if (isForwarded && known === undefined)
      this.certain = Math.min(this.certain, this.rig.port.commands.length);
    return known === undefined ? synthesizeCommand(one) : bytesFromHex(known);
  }

  private placeStes(effects: readonly TraceLine[]): void {
    let address: bigint | undefined;
    let translated: [bigint, bigint] | undefined;
    for (const line of effects) {
      if (line.name === "smmuv3_find_ste_2lvl") this.linkLevel2(line);
      if (line.name === "smmuv3_get_ste") address = numberAfter(line, "STE addr");
      if (line.name === "smmuv3_accel_translate_ste") translated = steIn(line);
      if (line.name !== "smmuv3_accel_install_ste" || address === undefined) continue;
      const type = /type=(\w+)/.exec(line.text)?.[1];
      const ste = type === "translate" ? translated : plainSte(type);
      if (ste !== undefined) this.rig.memory.writeWords(Number(address), ste);
      translated = undefined;
      address = undefined;
    }
  }

  private linkLevel2(line: TraceLine): void {
    const l1 = numberAfter(line, "l1ptr");
    const L2Ptr = numberAfter(line, "l2ptr");
    const last = numberAfter(line, "max_l2_ste");
    if (l1 === undefined || L2Ptr === undefined || last === undefined) return;
    const Span = Math.log2(Number(last) + 1);
    this.rig.memory.write(Number(l1), packFields(L1STD, { L2Ptr, Span })[0]);
  }
}

const HEX_PAIR = /ste=([0-9a-f]+):([0-9a-f]+)/;

/** Words 0 and 1 of the STE in a line that prints word 1 first. */
function steIn(line: TraceLine): [bigint, bigint] | undefined {
  const found = HEX_PAIR.exec(line.text);
  return found ? [BigInt(`0x${found[2]}`), BigInt(`0x${found[1]}`)] : undefined;
}

function plainSte(type: string | undefined): bigint[] | undefined {
  const config = { abort: VSTE_CONFIG.abort, bypass: VSTE_CONFIG.bypass }[type ?? ""];
  return config === undefined ? undefined : packFields(STE, { V: 1, Config: config });
}

/** A command from what the trace says about it. */
export function synthesizeCommand({ name, lines }: CommandLines): Uint8Array {
  const number = (trace: string, key: string): bigint => {
    const line = lines.find((l) => l.name === trace);
    return (line && numberAfter(line, key)) ?? 0n;
  };
  switch (name) {
    case "CMD_SYNC":
      return sync();
    case "CMD_CFGI_STE": {
      const StreamID = number("smmuv3_cmdq_cfgi_ste", "streamid");
      return command("CMD_CFGI_STE", { StreamID, "CFGI.Leaf": 1 });
    }
    case "CMD_CFGI_STE_RANGE": {
      const start = number("smmuv3_cmdq_cfgi_ste_range", "start");
      const count = number("smmuv3_cmdq_cfgi_ste_range", "end") - start + 1n;
      const Range = Math.log2(Number(count)) - 1;
      return command("CMD_CFGI_STE_RANGE", { StreamID: start, "CFGI.Range": Range });
    }
    case "CMD_CFGI_CD":
    case "CMD_CFGI_CD_ALL": {
      const StreamID = number("smmuv3_cmdq_cfgi_cd", "sid");
      return command(name, { StreamID, "CFGI.Leaf": name === "CMD_CFGI_CD" ? 1 : 0 });
    }
    case "CMD_TLBI_NH_VA":
    case "CMD_TLBI_NH_VAA":
      return command(name, {
        "TLBI.ASID": number("smmuv3_range_inval", "asid"),
        "TLBI.Address": number("smmuv3_range_inval", "addr"),
        "TLBI.Leaf": number("smmuv3_range_inval", "leaf"),
        ...range(lines),
      });
    case "CMD_TLBI_NH_ASID":
      return command(name, { "TLBI.ASID": number("smmuv3_cmdq_tlbi_nh_asid", "asid") });
    default:
      return name in CMD.cases ? command(name as CommandName) : new Uint8Array(COMMAND_BYTES);
  }
}

/** Pages that NUM can count. */
const NUM_MAX = 32n;

/**
 * TG, NUM, SCALE and TTL of a range that the trace shows in pieces; none for a single page without
 * TG.
 */
function range(lines: readonly TraceLine[]): Record<string, bigint> {
  const pieces = lines.filter(({ name }) => name === "smmuv3_range_inval");
  const value = (line: TraceLine | undefined, key: string): bigint =>
    (line && numberAfter(line, key)) ?? 0n;
  const tg = value(pieces[0], "tg");
  if (tg === 0n) return {};
  let pages = pieces.reduce((sum, line) => sum + value(line, "num_pages"), 0n);
  let scale = 0n;
  for (; pages > NUM_MAX; scale++) pages = (pages + 1n) / 2n;
  return {
    "TLBI.TG": tg,
    "TLBI.NUM": pages - 1n,
    "TLBI.SCALE": scale,
    "TLBI.TTL": value(pieces[0], "ttl"),
  };
}
