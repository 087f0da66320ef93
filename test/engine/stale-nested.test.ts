// Stale entries where scopes meet: stage 2 under stage 1, VMID wildcards, no stage 2, many contexts
// (IHI0070 3.17, 4.4).
import { describe, expect, test } from "vitest";
import { command } from "../../src/tables/command.ts";
import { CMDQEN, EVENTQEN, idWith, R, RAM, RAM_BYTES, Rig, SMMUEN, STRTAB } from "./rig.ts";
import {
  contextOf,
  invalidate,
  look,
  nested,
  OLD,
  PAGE,
  Space,
  stage1,
  stage2,
  tlbi,
} from "./streams.ts";

const VA = 0x1234_5000n;
const IPA = OLD + VA;
const VMID = 3;
const ASID = 10;

/** A nested stream and a stage 2 stream of one VMID over one stage 2, cached. */
async function shared(o: { ramByPages?: boolean } = {}) {
  const rig = await Rig.ready({ cache: "fast" });
  const [first, second] = nested(rig, { sid: 1, vmid: VMID, asid: ASID });
  if (o.ramByPages) {
    for (let at = RAM; at < RAM + BigInt(RAM_BYTES); at += PAGE) second.map(at, PAGE, 0n);
  }
  stage2(rig, { sid: 2, vmid: VMID }, second);
  first.map(VA);
  second.map(IPA);
  const both = () => [look(rig, 1, VA), look(rig, 2, IPA)];
  expect(both()).toEqual(["old", "old"]);
  return { rig, first, second, both };
}

describe("stage 2 under stage 1", () => {
  test("S2_IPA drops stage 2 entries; combined ones go with NH_ALL or NH_VAA", async () => {
    for (const follow of [tlbi("NH_ALL", { vmid: VMID }), tlbi("NH_VAA", { vmid: VMID, at: VA })]) {
      const { rig, second, both } = await shared();
      second.move(IPA);
      expect(both()).toEqual(["old", "old"]);
      invalidate(rig, tlbi("S2_IPA", { vmid: VMID, at: IPA }));
      expect(both()[1]).toBe("new");
      invalidate(rig, follow);
      expect(both()).toEqual(["new", "new"]);
    }
  });

  test.each(["S12_VMALL", "NSNH_ALL"])("%s drops both", async (opcode) => {
    const { rig, second, both } = await shared();
    second.move(IPA);
    invalidate(rig, tlbi(opcode, { vmid: VMID }));
    expect(both()).toEqual(["new", "new"]);
  });

  test("stage 1 commands do not have to drop stage 2 entries, and do not need to", async () => {
    const { rig, first, second, both } = await shared();
    second.move(IPA);
    invalidate(rig, tlbi("NH_ALL", { vmid: VMID }));
    expect(both()[1]).toBe("old");
    first.map(VA, PAGE, OLD * 2n);
    second.map(OLD * 2n + VA, PAGE, OLD * 2n);
    invalidate(rig, tlbi("NH_VA", { vmid: VMID, asid: ASID, at: VA }));
    expect(both()[0]).toBe("new");
  });

  test("the stage 2 of stage 1's own tables goes with S2_IPA", async () => {
    const { rig, first, second, both } = await shared({ ramByPages: true });
    // A copy of the last table, with the new mapping, at another place that the old IPA now shows.
    const { at } = first.table.lookup(VA);
    const page = at & ~0xfffn;
    const copy = rig.allocate(4096);
    for (let offset = 0n; offset < 4096n; offset += 8n) {
      rig.write64(copy + offset, rig.read64(page + offset));
    }
    rig.write64(copy + (at - page), rig.read64(at) ^ (OLD * 3n));
    second.map(OLD * 2n + VA, PAGE, OLD * 2n);
    second.table.map(page, copy, PAGE, { "S2AP[0]": 1, "S2AP[1]": 1, MemAttr: 15 });
    expect(both()[0]).toBe("old");
    invalidate(rig, tlbi("S2_IPA", { vmid: VMID, at: page }), tlbi("NH_ALL", { vmid: VMID }));
    expect(both()[0]).toBe("new");
  });
});

describe("VMID wildcards", () => {
  const VMIDS = [4, 5, 6, 7, 8, 12];

  /** Stage 1 and stage 2 entries of some VMIDs, cached and changed. */
  async function grouped(vmw: number) {
    const rig = await Rig.ready({ cache: "fast" });
    rig.write(R.CR0, SMMUEN | EVENTQEN | CMDQEN | (vmw << 6));
    const spaces = VMIDS.flatMap((vmid) => [
      stage1(rig, { sid: vmid, vmid, asid: ASID }),
      stage2(rig, { sid: vmid + 16, vmid }),
    ]);
    for (const space of spaces) space.map(VA);
    const all = () => VMIDS.map((vmid) => [look(rig, vmid, VA), look(rig, vmid + 16, VA)]);
    all();
    for (const space of spaces) space.move(VA);
    return { rig, all };
  }

  test.each([
    ["NH_ALL", 0],
    ["NH_ASID", 0],
    ["NH_VA", 0],
    ["NH_VAA", 0],
    ["S2_IPA", 1],
  ] as const)("%s matches all VMIDs of the group", async (opcode, which) => {
    for (const vmw of [0, 1, 2, 3, 4, 5, 7]) {
      const { rig, all } = await grouped(vmw);
      invalidate(rig, tlbi(opcode, { vmid: 5, asid: ASID, at: VA }));
      const group = vmw > 4 ? 0 : vmw;
      const got = all();
      VMIDS.forEach((vmid, i) => {
        if (vmid >> group === 5 >> group) {
          expect(got[i][which], `VMW ${vmw}, VMID ${vmid}`).toBe("new");
        }
      });
      // Without a wildcard the others stay.
      if (group === 0) expect(got[0]).toEqual(["old", "old"]);
    }
  });

  test("S12_VMALL matches all VMIDs of the group in both stages", async () => {
    const { rig, all } = await grouped(2);
    invalidate(rig, tlbi("S12_VMALL", { vmid: 7 }));
    const got = all();
    for (let i = 0; i < 4; i++) expect(got[i]).toEqual(["new", "new"]);
  });
});

describe("without stage 2", () => {
  test.each(["NH_ALL", "NH_ASID", "NH_VA", "NH_VAA", "NSNH_ALL"])("%s", async (opcode) => {
    const rig = await Rig.ready({ cache: "fast", id: idWith({ IDR0: { S2P: 0, Hyp: 0 } }) });
    const space = stage1(rig, { sid: 1, asid: ASID, vmid: 0x55 });
    space.map(VA);
    look(rig, 1, VA);
    space.move(VA);
    expect(look(rig, 1, VA)).toBe("old");
    invalidate(rig, tlbi(opcode, { asid: ASID, at: VA }));
    expect(look(rig, 1, VA)).toBe("new");
  });
});

describe("many", () => {
  test("contexts: thousands of ASIDs are kept apart and dropped one by one", async () => {
    const rig = await Rig.ready({ cache: "fast" });
    const space = new Space(rig, 1);
    space.map(VA);
    const bits = 13;
    const contexts = rig.allocate(64 << bits);
    for (let ssid = 1; ssid < 1 << bits; ssid++) {
      contextOf(rig, space, { asid: ssid }, contexts + BigInt(ssid * 64));
    }
    rig.ste(1, { Config: 5, S1ContextPtr: contexts, S1CDMax: bits, S1DSS: 2 });
    for (let ssid = 1; ssid < 1 << bits; ssid++) expect(look(rig, 1, VA, ssid)).toBe("old");
    space.move(VA);
    // The last ones are still cached; their own command drops each.
    for (let ssid = (1 << bits) - 20; ssid < 1 << bits; ssid++) {
      invalidate(rig, tlbi("NH_ASID", { asid: ssid }));
      expect(look(rig, 1, VA, ssid)).toBe("new");
    }
    invalidate(rig, tlbi("NH_ALL"));
    for (let ssid = 1; ssid < 1 << bits; ssid++) expect(look(rig, 1, VA, ssid)).toBe("new");
  });

  test("pages: more than the cache holds are all answered right, old or new", async () => {
    const rig = await Rig.ready({ cache: "fast" });
    const space = stage1(rig, { sid: 1, asid: ASID });
    const pages = Array.from({ length: 20_000 }, (_, i) => VA + BigInt(i) * PAGE);
    for (const at of pages) space.map(at);
    const outputs = (wanted: bigint) =>
      pages.filter((at) => rig.smmu.translate({ sid: 1, iova: at + 5n }).pa !== wanted + at + 5n);
    expect(outputs(OLD)).toEqual([]);
    expect(outputs(OLD)).toEqual([]);
    for (const at of pages) space.move(at);
    invalidate(rig, tlbi("NH_ASID", { asid: ASID }));
    expect(outputs(OLD * 2n)).toEqual([]);
  });

  test("renamings: more than there are ids", async () => {
    const rig = await Rig.ready({ cache: "fast", cmdqLog2: 2 });
    // Stream 1 keeps its context and its entry; stream 2 gets a new context again and again.
    stage1(rig, { sid: 1, asid: ASID }).map(VA);
    stage1(rig, { sid: 2, asid: ASID + 1 }).move(VA);
    const drop = tlbi("NH_ASID", { asid: ASID + 1 });
    for (let n = 0n; n < 4n; n++) rig.map.writeBytes(rig.cmdqAt + n * 16n, drop);
    const ids = 1 << 20;
    const { engine } = rig.smmu;
    expect(look(rig, 1, VA)).toBe("old");
    for (let n = 1; n <= ids + 50; n++) {
      engine.mmioWrite(R.CMDQ_PROD, 4, BigInt(n % 8));
      // Faults leave no entries behind that would push the first stream's out.
      rig.smmu.translateRaw(2, 0, VA + PAGE);
      if (n % 10_000 === 0) expect(look(rig, 1, VA)).toBe("old");
      if (n > ids - 50) expect(look(rig, 2, VA)).toBe("new");
    }
    expect(rig.queue()).toMatchObject({ cons: (ids + 50) % 8, active: false });
  });

  test("streams: more than are cached, each dropped by its own command", async () => {
    const rig = await Rig.bare({ cache: "fast" });
    const log2 = 12;
    const table = rig.allocate(64 << log2);
    rig.enable(0);
    rig.smmu.writeRegister(R.STRTAB_BASE, table, 8);
    rig.write(R.STRTAB_BASE_CFG, log2);
    rig.write(R.CR0, SMMUEN | EVENTQEN | CMDQEN);
    const space = new Space(rig, 1);
    space.map(VA);
    const S1ContextPtr = contextOf(rig, space, { asid: ASID });
    rig.ste(0, { Config: 5, S1ContextPtr });
    const ste = rig.map.readBytes(STRTAB, 64)!;
    const all = Array.from({ length: 1 << log2 }, (_, sid) => sid);
    for (const sid of all) rig.map.writeBytes(table + BigInt(sid * 64), ste);
    for (const sid of all) expect(look(rig, sid, VA)).toBe("old");
    const abort = new Uint8Array(64);
    abort[0] = 1;
    for (const sid of all) rig.map.writeBytes(table + BigInt(sid * 64), abort);
    for (const sid of all) {
      expect(["old", "abort"]).toContain(look(rig, sid, VA));
      if (sid % 16 === 0) rig.run(command("CMD_CFGI_STE", { StreamID: sid }));
      if (sid % 16 === 0) expect(look(rig, sid, VA)).toBe("abort");
    }
  });
});
