// Tables that stage 1 reads through stage 2 mappings without read permission (IHI0070 3.4, 7.3.15).
import { expect, test } from "vitest";
import { EVENT } from "../../src/spec/event.ts";
import { fieldOf, Rig } from "./rig.ts";
import { nested, PAGE } from "./streams.ts";

const VA = 0x1234_5000n;
/** An address below another entry of the level 1 table. */
const BEYOND = 5n << 30n;
/** Where stage 2 has the page that is written, then taken for a table. */
const IPA = 0x10_0000_0000n;
/** A table descriptor's low bits. */
const TABLE = 3n;
const CLASS_TT = 1n;

test.each(["none", "fast"] as const)("a write-only page is no table, cache %s", async (cache) => {
  const rig = await Rig.ready({ cache });
  const page = rig.allocate(Number(PAGE));
  const [first, second] = nested(rig, { sid: 1, asid: 1, vmid: 2 });
  second.map(IPA, PAGE, page - BigInt.asUintN(36, IPA), { "S2AP[0]": 0 });
  first.map(VA, PAGE, IPA - VA);
  rig.write64(first.table.root + (BEYOND >> 30n) * 8n, IPA | TABLE);

  const written = rig.smmu.translate({ sid: 1, iova: VA, write: true });
  expect(written).toMatchObject({ status: "ok", pa: page, perm: 2 });
  const { event } = rig.smmu.translate({ sid: 1, iova: BEYOND });
  expect(event?.name).toBe("F_PERMISSION");
  const [record] = rig.events();
  expect([fieldOf(EVENT, record, "S2"), fieldOf(EVENT, record, "CLASS")]).toEqual([1n, CLASS_TT]);
  expect(fieldOf(EVENT, record, "IPA")).toBe(IPA);
});
