// What each TLBI must drop and what it leaves alone, for entries of every world and tag (IHI0070
// 4.4).
import { describe, expect, test } from "vitest";
import { command } from "../../src/tables/command.ts";
import { CMDQEN, EVENTQEN, R, Rig, SMMUEN } from "./rig.ts";
import {
  invalidate,
  look,
  nested,
  OLD,
  PAGE,
  type Space,
  stage1,
  stage2,
  tlbi,
} from "./streams.ts";

const VA = 0x1234_5000n;
/** A second page of every table, which no address command names. */
const OTHER = 0x1678_9000n;

type World = "EL1" | "EL2" | "E2H";

/** One cached translation: who asks, and what it is tagged with. */
interface Entry {
  name: string;
  sid: number;
  world: World;
  kind: "stage 1" | "stage 2" | "nested";
  vmid: number;
  asid: number;
  global?: boolean;
}

const EL1: Entry[] = [
  { name: "VMID 1, ASID 10", sid: 1, world: "EL1", kind: "stage 1", vmid: 1, asid: 10 },
  { name: "VMID 1, ASID 11", sid: 2, world: "EL1", kind: "stage 1", vmid: 1, asid: 11 },
  { name: "VMID 2, ASID 10", sid: 3, world: "EL1", kind: "stage 1", vmid: 2, asid: 10 },
  { name: "VMID 3, nested", sid: 7, world: "EL1", kind: "nested", vmid: 3, asid: 10 },
  { name: "VMID 1, stage 2", sid: 5, world: "EL1", kind: "stage 2", vmid: 1, asid: -1 },
  { name: "VMID 2, stage 2", sid: 6, world: "EL1", kind: "stage 2", vmid: 2, asid: -1 },
];
const GLOBAL: Entry = {
  ...{ name: "VMID 1, global", sid: 4, world: "EL1", kind: "stage 1", vmid: 1, asid: 12 },
  global: true,
};
const el2 = (world: World): Entry[] => [
  { name: "EL2, ASID 10", sid: 9, world, kind: "stage 1", vmid: 0, asid: 10 },
  { name: "EL2, ASID 11", sid: 10, world, kind: "stage 1", vmid: 0, asid: 11 },
];

/** Machines: without global entries, with one, and with E2H. */
const MACHINES: [string, Entry[]][] = [
  ["EL2", [...EL1, ...el2("EL2")]],
  ["EL2 and a global page", [...EL1, GLOBAL, ...el2("EL2")]],
  ["E2H", [...EL1, ...el2("E2H")]],
];

/** An SMMU whose entries are all cached, and then all changed in memory. */
async function warm(entries: Entry[]): Promise<{ rig: Rig; spaces: Map<Entry, Space> }> {
  const rig = await Rig.bare({ cache: "fast" });
  rig.enable(0);
  rig.write(R.CR2, 2 | Number(entries.some(({ world }) => world === "E2H")));
  rig.write(R.CR0, SMMUEN | EVENTQEN | CMDQEN);
  const spaces = new Map<Entry, Space>();
  for (const entry of entries) {
    const space = makeStream(rig, entry);
    for (const at of [VA, OTHER]) space.map(at);
    spaces.set(entry, space);
  }
  for (const { sid } of entries) for (const at of [VA, OTHER]) look(rig, sid, at);
  for (const space of spaces.values()) for (const at of [VA, OTHER]) space.move(at);
  return { rig, spaces };
}

function makeStream(rig: Rig, entry: Entry): Space {
  const { sid, vmid, asid, global, world } = entry;
  if (entry.kind === "stage 2") return stage2(rig, { sid, vmid });
  if (entry.kind === "nested") {
    const [first, second] = nested(rig, { sid, vmid, asid });
    // Old and new IPAs, one to one.
    second.map(OLD, 1n << 30n, OLD);
    second.map(OLD * 2n, 1n << 30n, OLD * 2n);
    return first;
  }
  const strw = world === "EL1" ? 0 : 2;
  return stage1(rig, { sid, vmid, asid, strw }, { nG: global ? 0 : 1 });
}

interface Scoped {
  opcode: string;
  vmid?: number;
  asid?: number;
  at?: bigint;
}

/** What the architecture demands of a TLBI for the entry of VA or OTHER. */
function mustGo({ opcode, vmid, asid, at }: Scoped, e: Entry, page: bigint): boolean {
  const sameAsid = e.global || e.asid === asid;
  const isEl2 = e.world !== "EL1";
  switch (opcode) {
    case "NSNH_ALL":
      return !isEl2;
    case "S12_VMALL":
      return !isEl2 && e.vmid === vmid;
    case "NH_ALL":
      return !isEl2 && e.kind !== "stage 2" && e.vmid === vmid;
    case "NH_ASID":
      return !isEl2 && e.kind !== "stage 2" && e.vmid === vmid && e.asid === asid && !e.global;
    case "NH_VA":
      return !isEl2 && e.kind !== "stage 2" && e.vmid === vmid && sameAsid && page === at;
    case "NH_VAA":
      return !isEl2 && e.kind !== "stage 2" && e.vmid === vmid && page === at;
    case "S2_IPA":
      return e.kind === "stage 2" && e.vmid === vmid && page === at;
    case "EL2_ALL":
      return isEl2;
    case "EL2_ASID":
      return e.world === "E2H" && e.asid === asid;
    case "EL2_VA":
      return isEl2 && page === at && (e.world === "EL2" || sameAsid);
    default:
      return opcode === "EL2_VAA" && isEl2 && page === at;
  }
}

/** What has nothing to do with a TLBI: another world, VMID, stage or ASID. It stays cached. */
function unrelated({ opcode, vmid, asid }: Scoped, e: Entry): boolean {
  const isEl2 = e.world !== "EL1";
  if (opcode.startsWith("EL2") !== isEl2) return true;
  if (vmid !== undefined && !isEl2 && e.vmid !== vmid) return true;
  if (opcode === "S2_IPA") return e.kind !== "stage 2";
  if (opcode.startsWith("NH") && e.kind === "stage 2") return true;
  return opcode.endsWith("_ASID") && e.asid !== asid && !e.global;
}

const COMMANDS: Scoped[] = [
  { opcode: "NSNH_ALL" },
  { opcode: "EL2_ALL" },
  ...[1, 2, 3, 4].flatMap((vmid) => [
    { opcode: "NH_ALL", vmid },
    { opcode: "S12_VMALL", vmid },
    { opcode: "NH_ASID", vmid, asid: 10 },
    { opcode: "NH_ASID", vmid, asid: 11 },
    { opcode: "NH_VA", vmid, asid: 10, at: VA },
    { opcode: "NH_VA", vmid, asid: 11, at: VA },
    { opcode: "NH_VAA", vmid, at: VA },
    { opcode: "S2_IPA", vmid, at: VA },
  ]),
  ...[10, 11, 12].flatMap((asid) => [
    { opcode: "EL2_ASID", asid },
    { opcode: "EL2_VA", asid, at: VA },
  ]),
  { opcode: "EL2_VAA", at: VA },
];

describe.each(MACHINES)("with %s", (_, entries) => {
  test("nothing changes while nothing is invalidated", async () => {
    const { rig } = await warm(entries);
    for (const { name, sid } of entries) {
      for (const at of [VA, OTHER]) expect(look(rig, sid, at), name).toBe("old");
    }
  });

  test.each(COMMANDS.map((c) => [Object.values(c).map(String).join(" "), c] as const))(
    "TLBI_%s",
    async (_name, scoped) => {
      const { rig } = await warm(entries);
      invalidate(rig, tlbi(scoped.opcode, scoped));
      for (const entry of entries) {
        for (const at of [VA, OTHER]) {
          const got = look(rig, entry.sid, at);
          const what = `${entry.name}, 0x${at.toString(16)}`;
          if (mustGo(scoped, entry, at)) expect(got, what).toBe("new");
          if (unrelated(scoped, entry)) expect(got, what).toBe("old");
        }
      }
    },
  );
});

describe("precision", () => {
  test("an address command leaves the other pages of its context cached", async () => {
    for (const [opcode, sid] of [
      ["NH_VA", 1],
      ["S2_IPA", 5],
      ["EL2_VA", 9],
    ] as const) {
      const entries = MACHINES[0][1].filter((e) => e.sid === sid);
      const { rig } = await warm(entries);
      invalidate(rig, tlbi(opcode, { ...entries[0], at: VA }));
      expect(look(rig, sid, VA), opcode).toBe("new");
      expect(look(rig, sid, OTHER), opcode).toBe("old");
    }
  });

  test("configuration commands leave translations alone, and TLBIs configurations", async () => {
    const entries = MACHINES[0][1];
    const { rig } = await warm(entries);
    const range = command("CMD_CFGI_STE_RANGE", { "CFGI.Range": 31 });
    invalidate(rig, command("CMD_CFGI_STE", { StreamID: 1 }), range);
    for (const { sid, name } of entries) expect(look(rig, sid, VA), name).toBe("old");
    // Aborting streams, as far as memory says; the decoded configurations stay.
    for (const { sid } of entries) rig.ste(sid, { Config: 0 });
    invalidate(rig, tlbi("NSNH_ALL"), tlbi("EL2_ALL"));
    for (const { sid, name } of entries) expect(look(rig, sid, VA), name).toBe("new");
    invalidate(rig, range);
    for (const { sid, name } of entries) expect(look(rig, sid, VA), name).toBe("abort");
  });

  test("faults are not cached: a mapping that appears is found at once", async () => {
    const rig = await Rig.ready({ cache: "fast" });
    const space = stage1(rig, { sid: 1, asid: 1 });
    expect(look(rig, 1, VA)).toBe("F_TRANSLATION");
    space.map(VA, PAGE, OLD, { AF: 0 });
    expect(look(rig, 1, VA)).toBe("F_ACCESS");
    space.map(VA, PAGE, OLD, { "AP[2]": 1 });
    const write = () => rig.smmu.translate({ sid: 1, iova: VA, write: true });
    expect(write().event?.name).toBe("F_PERMISSION");
    expect(look(rig, 1, VA)).toBe("old");
    expect(write().event?.name).toBe("F_PERMISSION");
    space.map(VA);
    expect(["ok", "event"]).toContain(write().status);
    invalidate(rig, tlbi("NH_VA", { asid: 1, at: VA }));
    expect(write().status).toBe("ok");
  });
});
