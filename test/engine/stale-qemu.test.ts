// QEMU's caches: 256 entries flushed whole, exact keys, every level probed, TTBs kept with the CD
// (quirks 13, 37, 40).
import { expect, test } from "vitest";
import { command } from "../../src/tables/command.ts";
import { Rig } from "./rig.ts";
import { invalidate, look, nested, OLD, PAGE, stage1, tlbi } from "./streams.ts";

const VA = 0x4000_0000n;
const ASID = 5;

async function pagesOf(count: number) {
  const rig = await Rig.ready({ compat: "qemu" });
  const space = stage1(rig, { sid: 1, asid: ASID });
  const pages = Array.from({ length: count }, (_, i) => VA + BigInt(i) * PAGE);
  for (const at of pages) space.map(at);
  return { rig, space, pages };
}

test("256 translations are kept; the next one flushes them all", async () => {
  const { rig, space, pages } = await pagesOf(257);
  for (const at of pages.slice(0, 256)) look(rig, 1, at);
  for (const at of pages) space.move(at);
  expect(pages.slice(0, 256).every((at) => look(rig, 1, at) === "old")).toBe(true);
  expect(look(rig, 1, pages[256])).toBe("new");
  expect(pages.every((at) => look(rig, 1, at) === "new")).toBe(true);
});

test("an entry that is removed makes room: no flush", async () => {
  const { rig, space, pages } = await pagesOf(257);
  for (const at of pages.slice(0, 256)) look(rig, 1, at);
  for (const at of pages) space.move(at);
  invalidate(rig, tlbi("NH_VA", { asid: ASID, at: pages[7] }));
  expect(look(rig, 1, pages[256])).toBe("new");
  expect(look(rig, 1, pages[0])).toBe("old");
});

test("a level hint for one page removes exactly that entry, or what covers it", async () => {
  const { rig, space, pages } = await pagesOf(3);
  const block = VA + (1n << 21n);
  space.map(block, 1n << 21n);
  for (const at of [...pages, block]) look(rig, 1, at);
  for (const at of pages) space.move(at);
  space.move(block, 1n << 21n);
  invalidate(rig, tlbi("NH_VA", { asid: ASID, at: pages[1], tg: 1, ttl: 3 }));
  expect(pages.map((at) => look(rig, 1, at))).toEqual(["old", "new", "old"]);
  // No page entry has this key: the block that covers the address goes.
  invalidate(rig, tlbi("NH_VA", { asid: ASID, at: block + PAGE, tg: 1, ttl: 3 }));
  expect(look(rig, 1, block)).toBe("new");
});

test("lookups probe every level: a block is found beside pages", async () => {
  const { rig, space, pages } = await pagesOf(1);
  const block = VA + (1n << 30n);
  space.map(block, 1n << 30n);
  for (const at of [block, pages[0]]) look(rig, 1, at);
  space.move(block, 1n << 30n);
  space.move(pages[0]);
  expect(look(rig, 1, block + 0x1234_5678n)).toBe("old");
  expect(look(rig, 1, pages[0])).toBe("old");
});

test("both TTBs are translated at CD decode and stay through stage 2 invalidations", async () => {
  const rig = await Rig.ready({ compat: "qemu" });
  const [first, second] = nested(rig, { sid: 1, vmid: 3, asid: ASID });
  first.map(VA);
  second.map(OLD + VA);
  expect(look(rig, 1, VA)).toBe("old");
  // Stage 2 loses everything but the output: the start table is still found where it was.
  second.unmap(0x4000_0000n, 1n << 30n);
  invalidate(rig, tlbi("S12_VMALL", { vmid: 3 }));
  const again = rig.smmu.explain({ sid: 1, iova: VA });
  expect(again.steps.some(({ what, stage }) => what === "pte" && stage === 1)).toBe(true);
  // Decoded anew, the TTB is where the fault is met.
  invalidate(rig, command("CMD_CFGI_STE", { StreamID: 1 }), tlbi("S12_VMALL", { vmid: 3 }));
  const { steps, event } = rig.smmu.explain({ sid: 1, iova: VA });
  expect(event?.name).toBe("F_TRANSLATION");
  expect(steps.some(({ what, stage }) => what === "pte" && stage === 1)).toBe(false);
});

test("a hit checks write permission alone", async () => {
  const rig = await Rig.ready({ compat: "qemu" });
  const space = stage1(rig, { sid: 1, asid: ASID });
  space.map(VA, PAGE, OLD, { "AP[2]": 1 });
  expect(look(rig, 1, VA)).toBe("old");
  space.map(VA);
  const write = rig.smmu.translate({ sid: 1, iova: VA, write: true });
  expect(write.event?.name).toBe("F_PERMISSION");
  invalidate(rig, tlbi("NH_VA", { asid: ASID, at: VA }));
  expect(rig.smmu.translate({ sid: 1, iova: VA, write: true }).status).toBe("ok");
});

test("NH_ASID, NH_ALL and CFGI name what they drop", async () => {
  const rig = await Rig.ready({ compat: "qemu" });
  const spaces = [1, 2].map((sid) => stage1(rig, { sid, asid: sid }));
  for (const space of spaces) space.map(VA);
  const both = () => [1, 2].map((sid) => look(rig, sid, VA));
  both();
  for (const space of spaces) space.move(VA);
  invalidate(rig, tlbi("NH_ASID", { asid: 1 }));
  expect(both()).toEqual(["new", "old"]);
  invalidate(rig, tlbi("NH_ALL", { vmid: 7 }));
  expect(both()).toEqual(["new", "old"]);
  invalidate(rig, tlbi("NH_ALL"));
  expect(both()).toEqual(["new", "new"]);
  for (const sid of [1, 2]) rig.ste(sid, { Config: 0 });
  expect(both()).toEqual(["new", "new"]);
  invalidate(rig, command("CMD_CFGI_STE_RANGE", { StreamID: 2, "CFGI.Range": 0 }));
  expect(both()).toEqual(["new", "abort"]);
});
