// More streams than the configuration caches hold: each is answered by its own STE, before and
// after it is evicted.
import { expect, test } from "vitest";
import { command, sync } from "../../src/tables/command.ts";
import { CMDQEN, EVENTQEN, R, Rig, SMMUEN } from "./rig.ts";

const LOG2 = 11;
const STREAMS = 2 ** LOG2;
const CONFIG = { bypass: 4, abort: 0 };
/** Every third stream aborts, the others bypass. */
const wanted = (sid: number): keyof typeof CONFIG => (sid % 3 === 0 ? "abort" : "bypass");

test.each([
  ["arch", "fast"],
  ["qemu", "qemu"],
] as const)("%s, %s", async (compat, cache) => {
  const rig = await Rig.ready({ compat, cache });
  rig.write(R.CR0, CMDQEN);
  rig.write(R.STRTAB_BASE_CFG, LOG2);
  rig.write(R.CR0, SMMUEN | EVENTQEN | CMDQEN);
  for (let sid = 0; sid < STREAMS; sid++) rig.ste(sid, { Config: CONFIG[wanted(sid)] });
  const status = (sid: number) => rig.smmu.translate({ sid, iova: 0x1000n }).status;

  for (let round = 0; round < 2; round++) {
    for (let sid = 0; sid < STREAMS; sid++) expect(status(sid), `${sid}`).toBe(wanted(sid));
  }
  const decoded = rig.smmu.counters.configDecodes;
  expect(decoded).toBeGreaterThan(STREAMS);
  expect(status(STREAMS - 1)).toBe(wanted(STREAMS - 1));
  expect(rig.smmu.counters.configDecodes).toBe(decoded);

  // What is cached stays until a command names it, and only that goes.
  for (const sid of [STREAMS - 1, STREAMS - 3]) rig.ste(sid, { Config: CONFIG.abort });
  rig.run(command("CMD_CFGI_STE", { StreamID: STREAMS - 1 }), sync());
  expect(status(STREAMS - 1)).toBe("abort");
  expect(status(STREAMS - 3)).toBe(wanted(STREAMS - 3));
});
