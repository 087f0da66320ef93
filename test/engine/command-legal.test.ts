// Which commands are illegal: every opcode with every feature present and absent (IHI0070 4.1,
// 4.2-4.7).
import { describe, expect, test } from "vitest";
import { type IdRegisters, QEMU_ID } from "../../src/engine/identity.ts";
import { command, sync } from "../../src/tables/command.ts";
import { CMDQ_ERR, idWith, R, Rig, type RigOptions } from "./rig.ts";

const ILL = 1;

/** What an SMMU implements, as far as commands depend on it. */
interface Features {
  s1p: boolean;
  s2p: boolean;
  hyp: boolean;
  ats: boolean;
  pri: boolean;
  mpam: boolean;
  stallModel: number;
}

const ALL: Features = {
  s1p: true,
  s2p: true,
  hyp: true,
  ats: true,
  pri: true,
  mpam: true,
  stallModel: 0,
};

/** ID registers of an SMMU with these features. */
function idOf(f: Features): IdRegisters {
  return idWith({
    IDR0: {
      S1P: Number(f.s1p),
      S2P: Number(f.s2p),
      Hyp: Number(f.hyp),
      ATS: Number(f.ats),
      PRI: Number(f.pri),
      STALL_MODEL: f.stallModel,
    },
    IDR3: { MPAM: Number(f.mpam) },
  });
}

/** Opcodes that are legal whatever is implemented. */
const ALWAYS = [0x01, 0x02, 0x03, 0x04, 0x30, 0x46];

/** Whether the architecture has a command with this opcode on the Non-secure queue. */
function legal(opcode: number, f: Features): boolean {
  if (ALWAYS.includes(opcode)) return true;
  if ([0x05, 0x06, 0x10, 0x11, 0x12, 0x13].includes(opcode)) return f.s1p;
  if (opcode === 0x07) return f.mpam;
  if (opcode >= 0x20 && opcode <= 0x23) return f.hyp && f.s1p;
  if (opcode === 0x28 || opcode === 0x2a) return f.s2p;
  if (opcode === 0x40) return f.ats;
  if (opcode === 0x41) return f.pri;
  return (opcode === 0x44 || opcode === 0x45) && f.stallModel !== 1;
}

/** Opcodes that QEMU consumes, with or without effect. */
function legalForQemu(opcode: number, f: Features): boolean {
  const silent = [0x18, 0x1a, 0x20, 0x21, 0x22, 0x23, 0x40, 0x41, 0x44, 0x45];
  if ([...ALWAYS, ...silent].includes(opcode)) return true;
  if ([0x05, 0x06, 0x10, 0x11, 0x12, 0x13].includes(opcode)) return f.s1p;
  return (opcode === 0x28 || opcode === 0x2a) && f.s2p;
}

/** Submits one command and gives its CERROR; the queue is repaired and goes on. */
function cerrorOf(rig: Rig, bytes: Uint8Array): number {
  const before = rig.queue().cons;
  rig.submit(bytes);
  const { cons, error, active } = rig.queue();
  if (!active) {
    expect(cons).toBe(rig.read(R.CMDQ_PROD));
    return 0;
  }
  expect(cons).toBe(before);
  rig.map.writeBytes(rig.cmdqAt + BigInt((cons % 2 ** rig.cmdqLog2) * 16), sync());
  rig.write(R.GERRORN, rig.read(R.GERRORN) ^ CMDQ_ERR);
  expect(rig.queue()).toEqual({ cons: rig.read(R.CMDQ_PROD), error: 0, active: false });
  return error;
}

async function cerrors(options: RigOptions): Promise<number[]> {
  const rig = await Rig.ready(options);
  return Array.from({ length: 256 }, (_, opcode) => {
    const bytes = new Uint8Array(16);
    bytes[0] = opcode;
    return cerrorOf(rig, bytes);
  });
}

const every = (f: Features, isLegal: typeof legal): number[] =>
  Array.from({ length: 256 }, (_, opcode) => (isLegal(opcode, f) ? 0 : ILL));

const VARIANTS: [string, Features][] = [
  ["everything", ALL],
  ["no stage 1", { ...ALL, s1p: false, hyp: false }],
  ["no stage 2", { ...ALL, s2p: false, hyp: false }],
  ["no EL2", { ...ALL, hyp: false }],
  ["no ATS", { ...ALL, ats: false, pri: false }],
  ["no PRI", { ...ALL, pri: false }],
  ["no MPAM", { ...ALL, mpam: false }],
  ["no stalls", { ...ALL, stallModel: 1 }],
  ["forced stalls", { ...ALL, stallModel: 2 }],
];

test.each(VARIANTS)("all 256 opcodes with %s", async (_, features) => {
  expect(await cerrors({ id: idOf(features) })).toEqual(every(features, legal));
});

test.each([
  ["both stages", 3],
  ["stage 1", 2],
  ["stage 2", 1],
])("all 256 opcodes of QEMU with %s", async (_, stages) => {
  const id = { ...QEMU_ID, idr0: (QEMU_ID.idr0 & ~3) | stages };
  const features = { ...ALL, s1p: (stages & 2) !== 0, s2p: (stages & 1) !== 0 };
  const got = await cerrors({ compat: "qemu", id });
  expect(got).toEqual(every(features, legalForQemu));
});

describe("operands", () => {
  const streams = [
    ["CMD_PREFETCH_CONFIG", true],
    ["CMD_PREFETCH_ADDR", true],
    ["CMD_CFGI_STE", false],
    ["CMD_CFGI_STE_RANGE", false],
    ["CMD_CFGI_CD", false],
    ["CMD_CFGI_CD_ALL", false],
    ["CMD_CFGI_VMS_PIDM", false],
    ["CMD_ATC_INV", true],
    ["CMD_PRI_RESP", true],
    ["CMD_RESUME", true],
    ["CMD_STALL_TERM", true],
  ] as const;

  test.each(streams)("%s of a Secure stream is illegal", async (name, qemuTakesIt) => {
    const rig = await Rig.ready({ id: idOf(ALL) });
    expect(cerrorOf(rig, command(name))).toBe(0);
    expect(cerrorOf(rig, command(name, { SSec: 1 }))).toBe(ILL);
    const qemu = await Rig.ready({ compat: "qemu" });
    expect(cerrorOf(qemu, command(name, { SSec: 1 }))).toBe(qemuTakesIt ? 0 : ILL);
  });

  test("reserved CS and Resp are illegal", async () => {
    const rig = await Rig.ready({ id: idOf(ALL) });
    const qemu = await Rig.ready({ compat: "qemu" });
    for (const [value, error] of [
      [0, 0],
      [1, 0],
      [2, 0],
      [3, ILL],
    ]) {
      expect(cerrorOf(rig, command("CMD_SYNC", { "SYNC.CS": value }))).toBe(error);
      expect(cerrorOf(rig, command("CMD_PRI_RESP", { "PRI_RESP.Resp": value }))).toBe(error);
      expect(cerrorOf(qemu, command("CMD_SYNC", { "SYNC.CS": value }))).toBe(0);
      expect(cerrorOf(qemu, command("CMD_PRI_RESP", { "PRI_RESP.Resp": value }))).toBe(0);
    }
  });

  const byAddress = [
    "CMD_TLBI_NH_VA",
    "CMD_TLBI_NH_VAA",
    "CMD_TLBI_EL2_VA",
    "CMD_TLBI_EL2_VAA",
    "CMD_TLBI_S2_IPA",
  ] as const;

  test.each(byAddress)("%s with TG and no NUM, SCALE and TTL is illegal", async (name) => {
    const rig = await Rig.ready({ id: idOf(ALL) });
    const without = await Rig.ready({ id: idWith({ IDR3: { RIL: 0 } }) });
    const qemu = await Rig.ready({ compat: "qemu" });
    for (const tg of [0, 1, 2, 3]) {
      for (const ttl of [0, 1, 2, 3]) {
        for (const [num, scale] of [
          [0, 0],
          [1, 0],
          [0, 1],
          [31, 31],
        ]) {
          const bytes = command(name, {
            "TLBI.TG": tg,
            "TLBI.TTL": ttl,
            "TLBI.NUM": num,
            "TLBI.SCALE": scale,
          });
          // 16 KiB has no level 1 leaves: that TTL counts as 0.
          const noHint = ttl === 0 || (tg === 2 && ttl === 1);
          const illegal = tg !== 0 && num === 0 && scale === 0 && noHint;
          const what = JSON.stringify({ tg, ttl, num, scale });
          expect(cerrorOf(rig, bytes), what).toBe(illegal ? ILL : 0);
          expect(cerrorOf(without, bytes), what).toBe(0);
          expect(cerrorOf(qemu, bytes), what).toBe(0);
        }
      }
    }
  });

  test("StreamIDs and SubstreamIDs out of range are no errors", async () => {
    const rig = await Rig.ready({ id: idWith({ IDR1: { SIDSIZE: 6, SSIDSIZE: 0 } }) });
    const ids = { StreamID: 0xffff_ffff, SubstreamID: 0xfffff };
    const { SubstreamID: _, ...stream } = ids;
    expect(cerrorOf(rig, command("CMD_CFGI_STE", stream))).toBe(0);
    expect(cerrorOf(rig, command("CMD_CFGI_STE_RANGE", { ...stream, "CFGI.Range": 31 }))).toBe(0);
    expect(cerrorOf(rig, command("CMD_CFGI_CD", ids))).toBe(0);
    expect(cerrorOf(rig, command("CMD_PREFETCH_CONFIG", { ...ids, SSV: 1 }))).toBe(0);
  });
});
