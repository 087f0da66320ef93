// Stale configurations: STEs, CDs and their level 1 descriptors until the matching CFGI (IHI0070
// 3.21.3, 4.3).
import { describe, expect, test } from "vitest";
import { L1CD } from "../../src/spec/cd.ts";
import { L1STD } from "../../src/spec/ste.ts";
import { bytesOf, packFields } from "../../src/spec/word.ts";
import { command } from "../../src/tables/command.ts";
import { CMDQEN, EVENTQEN, R, Rig, SMMUEN, STRTAB } from "./rig.ts";
import { contextOf, invalidate, look, Space, stage1, tlbi } from "./streams.ts";

const VA = 0x1234_5000n;
const SIDS = [0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 255];

const cfgi = (name: "STE" | "CD" | "CD_ALL", sid: number, fields: object = {}): Uint8Array =>
  command(`CMD_CFGI_${name}`, { StreamID: sid, ...fields });
const cfgiRange = (sid: number, range: number): Uint8Array =>
  command("CMD_CFGI_STE_RANGE", { StreamID: sid, "CFGI.Range": range });
const CFGI_ALL = cfgiRange(0, 31);

/** Streams that translate, cached; then all abort, as far as memory says. */
async function cached(sids: number[]): Promise<Rig> {
  const rig = await Rig.ready({ cache: "fast" });
  const space = new Space(rig, 1);
  space.map(VA);
  for (const sid of sids) {
    const S1ContextPtr = contextOf(rig, space, { asid: sid });
    rig.ste(sid, { Config: 5, S1ContextPtr });
    expect(look(rig, sid, VA)).toBe("old");
  }
  for (const sid of sids) rig.ste(sid, { Config: 0 });
  return rig;
}

describe("STEs", () => {
  test("stay until something names them", async () => {
    const rig = await cached(SIDS);
    invalidate(rig, tlbi("NSNH_ALL"), tlbi("EL2_ALL"), cfgi("STE", 200), cfgi("CD", 201));
    for (const sid of SIDS) expect(look(rig, sid, VA)).toBe("old");
  });

  test.each(["STE", "CD_ALL", "CD"] as const)("CFGI_%s names one stream", async (name) => {
    const rig = await cached([3, 4]);
    invalidate(rig, cfgi(name, 3, { "CFGI.Leaf": 1 }));
    if (name === "STE") expect(look(rig, 3, VA)).toBe("abort");
    expect(look(rig, 4, VA)).toBe("old");
  });

  test.each([0, 1, 2, 3, 4, 5, 6, 7, 31])("CFGI_STE_RANGE with Range=%i", async (range) => {
    for (const named of [0, 5, 64, 130]) {
      const rig = await cached(SIDS);
      invalidate(rig, cfgiRange(named, range));
      for (const sid of SIDS) {
        const inside = range === 31 || sid >> (range + 1) === named >> (range + 1);
        if (inside) expect(look(rig, sid, VA), `${sid}`).toBe("abort");
        else if (range < 6) expect(look(rig, sid, VA), `${sid}`).toBe("old");
      }
    }
  });

  test("a cached STE outlives SMMUEN; commands work while disabled", async () => {
    const rig = await cached([3, 4]);
    rig.write(R.CR0, CMDQEN);
    expect(look(rig, 3, VA)).toBe("bypass");
    invalidate(rig, cfgi("STE", 3));
    rig.write(R.CR0, SMMUEN | EVENTQEN | CMDQEN);
    expect(look(rig, 3, VA)).toBe("abort");
    expect(look(rig, 4, VA)).toBe("old");
  });

  test("an invalid STE that becomes valid is used at the latest after CFGI_STE", async () => {
    const rig = await Rig.ready({ cache: "fast" });
    expect(look(rig, 5, VA)).toBe("C_BAD_STE");
    stage1(rig, { sid: 5, asid: 1 }).map(VA);
    expect(["old", "C_BAD_STE"]).toContain(look(rig, 5, VA));
    invalidate(rig, cfgi("STE", 5));
    expect(look(rig, 5, VA)).toBe("old");
  });
});

describe("level 1 stream table descriptors", () => {
  /** Streams under a 2-level table with SPLIT 8; sid 0x105 is in the second array. */
  async function twoLevel(): Promise<{ rig: Rig; l1: bigint; other: bigint }> {
    const rig = await Rig.bare({ cache: "fast" });
    rig.enable(0);
    const l1 = rig.allocate(8 * 16);
    const other = rig.allocate(64 * 256);
    rig.smmu.writeRegister(R.STRTAB_BASE, l1, 8);
    rig.write(R.STRTAB_BASE_CFG, 12 | (8 << 6) | (1 << 16));
    rig.write(R.CR0, SMMUEN | EVENTQEN | CMDQEN);
    rig.write64(l1 + 8n, packFields(L1STD, { Span: 9, L2Ptr: STRTAB })[0]);
    stage1(rig, { sid: 5, asid: 1 }).map(VA);
    expect(look(rig, 0x105, VA)).toBe("old");
    // The new array's STE aborts.
    rig.map.writeBytes(other + 5n * 64n, Uint8Array.of(1));
    rig.write64(l1 + 8n, packFields(L1STD, { Span: 9, L2Ptr: other })[0]);
    expect(look(rig, 0x105, VA)).toBe("old");
    return { rig, l1, other };
  }

  test.each([
    ["CFGI_STE with Leaf=0", cfgi("STE", 0x105)],
    ["CFGI_STE_RANGE", cfgiRange(0x100, 7)],
    ["CFGI_ALL", CFGI_ALL],
  ])("%s drops the STE and the descriptor", async (_, bytes) => {
    const { rig } = await twoLevel();
    invalidate(rig, bytes);
    expect(look(rig, 0x105, VA)).toBe("abort");
  });
});

describe("CDs", () => {
  const SSIDS = [1, 2, 65];

  /** One stream with a CD of its own for each substream, 2-level with 4 KiB leaves. */
  async function substreams() {
    const rig = await Rig.ready({ cache: "fast" });
    const space = new Space(rig, 1);
    space.map(VA);
    const leaves = [rig.allocate(4096), rig.allocate(4096)];
    const l1 = rig.allocate(64);
    leaves.forEach((L2Ptr, i) => {
      rig.write64(l1 + BigInt(i * 8), packFields(L1CD, { V: 1, L2Ptr })[0]);
    });
    const at = (ssid: number) => leaves[ssid >> 6] + BigInt((ssid & 63) * 64);
    for (const ssid of SSIDS) contextOf(rig, space, { asid: ssid }, at(ssid));
    rig.ste(9, { Config: 5, S1ContextPtr: l1, S1Fmt: 1, S1CDMax: 8, S1DSS: 2 });
    for (const ssid of SSIDS) expect(look(rig, 9, VA, ssid)).toBe("old");
    const spoil = () => {
      for (const ssid of SSIDS) rig.write64(at(ssid), 0n);
    };
    return { rig, l1, leaves, spoil };
  }

  test("stay cached until their substream is named", async () => {
    const { rig, spoil } = await substreams();
    spoil();
    for (const ssid of SSIDS) expect(look(rig, 9, VA, ssid)).toBe("old");
    for (const ssid of SSIDS) {
      invalidate(rig, cfgi("CD", 9, { SubstreamID: ssid, "CFGI.Leaf": 1 }));
      expect(look(rig, 9, VA, ssid)).toBe("C_BAD_CD");
    }
  });

  test.each([
    ["CFGI_CD_ALL", cfgi("CD_ALL", 9)],
    ["CFGI_STE", cfgi("STE", 9, { "CFGI.Leaf": 1 })],
    ["CFGI_STE_RANGE", cfgiRange(8, 0)],
    ["CFGI_ALL", CFGI_ALL],
  ])("%s drops all CDs of the stream", async (_, bytes) => {
    const { rig, spoil } = await substreams();
    spoil();
    invalidate(rig, bytes);
    for (const ssid of SSIDS) expect(look(rig, 9, VA, ssid)).toBe("C_BAD_CD");
  });

  test.each([
    ["CFGI_CD with Leaf=0", cfgi("CD", 9, { SubstreamID: 65 })],
    ["CFGI_CD_ALL", cfgi("CD_ALL", 9)],
    ["CFGI_STE", cfgi("STE", 9)],
  ])("%s drops the level 1 descriptor", async (_, bytes) => {
    const { rig, l1 } = await substreams();
    rig.write64(l1 + 8n, 0n);
    expect(look(rig, 9, VA, 65)).toBe("old");
    invalidate(rig, bytes);
    expect(look(rig, 9, VA, 65)).toBe("C_BAD_SUBSTREAMID");
  });

  test("a single CD is named by SubstreamID 0", async () => {
    const rig = await Rig.ready({ cache: "fast" });
    const space = new Space(rig, 1);
    space.map(VA);
    const at = contextOf(rig, space, { asid: 1 });
    rig.ste(9, { Config: 5, S1ContextPtr: at });
    expect(look(rig, 9, VA)).toBe("old");
    rig.map.writeBytes(at, bytesOf([0n]));
    expect(look(rig, 9, VA)).toBe("old");
    invalidate(rig, cfgi("CD", 9));
    expect(look(rig, 9, VA)).toBe("C_BAD_CD");
  });

  test("a CD that changes its table needs its ASID's entries dropped as well", async () => {
    const rig = await Rig.ready({ cache: "fast" });
    const [one, two] = [new Space(rig, 1), new Space(rig, 1)];
    one.map(VA);
    two.move(VA);
    const at = contextOf(rig, one, { asid: 1 });
    rig.ste(9, { Config: 5, S1ContextPtr: at });
    expect(look(rig, 9, VA)).toBe("old");
    contextOf(rig, two, { asid: 1 }, at);
    invalidate(rig, cfgi("CD", 9));
    expect(look(rig, 9, VA)).toBe("old");
    invalidate(rig, tlbi("NH_ASID", { asid: 1 }));
    expect(look(rig, 9, VA)).toBe("new");
  });
});
