// Several engines over one memory: shared memory, adopted memory, states that do not meet.
import { expect, test } from "vitest";
import { AddressMap, HostMemory } from "../../src/engine/memory.ts";
import { Smmu } from "../../src/engine/smmu.ts";
import { sync } from "../../src/tables/command.ts";
import { describeDifference, firstDifference, predictor } from "../property/compare.ts";
import { randomCase } from "../property/generate.ts";
import { Subject } from "../property/subject.ts";
import { R, Rig } from "./rig.ts";
import { invalidate, look, stage1, tlbi } from "./streams.ts";

const VA = 0x1234_5000n;

test("an engine over shared memory behaves as any other", async () => {
  const rig = await Rig.ready({ shared: true });
  expect(rig.memory.memory.buffer).toBeInstanceOf(SharedArrayBuffer);
  const space = stage1(rig, { sid: 1, asid: 5 });
  space.map(VA);
  expect(look(rig, 1, VA)).toBe("old");
  space.move(VA);
  expect(look(rig, 1, VA)).toBe("old");
  invalidate(rig, tlbi("NH_VA", { asid: 5, at: VA }));
  expect(look(rig, 1, VA)).toBe("new");
  expect(look(rig, 2, VA)).toBe("C_BAD_STE");
  expect(rig.events().length).toBe(1);
});

test("engines keep registers, caches, counters and interrupts to themselves", async () => {
  const rig = await Rig.ready({ cache: "fast" });
  const other = await Smmu.create(rig.memory, rig.map, { cache: "fast" });
  const space = stage1(rig, { sid: 1, asid: 5 });
  space.map(VA);
  // The other one uses the same stream table and no queues.
  for (const offset of [R.STRTAB_BASE, R.STRTAB_BASE + 4, R.STRTAB_BASE_CFG]) {
    other.writeRegister(offset, rig.read(offset));
  }
  other.writeRegister(R.CR0, 1);
  const ask = () => other.translate({ sid: 1, iova: VA }).pa;
  const old = ask();
  expect(look(rig, 1, VA)).toBe("old");
  space.move(VA);
  invalidate(rig, tlbi("NSNH_ALL"));
  expect(look(rig, 1, VA)).toBe("new");
  expect(ask()).toBe(old);
  other.flushCaches();
  expect(ask()).not.toBe(old);
  expect(Number(other.readRegister(R.CMDQ_PROD))).toBe(0);
  rig.write(R.IRQ_CTRL, 5);
  rig.submit(sync(), new Uint8Array(16).fill(0xff));
  expect(other.takeInterrupts().gerror).toBe(false);
  expect(rig.smmu.takeInterrupts().gerror).toBe(true);
  expect(other.counters.commands).toBe(0);
  rig.smmu.reset();
  expect(ask()).not.toBe(old);
});

test("an adopted memory keeps what it holds", async () => {
  const memory = new WebAssembly.Memory({ initial: 4, maximum: 4096 });
  const mine = new Uint8Array(memory.buffer).fill(0x77).byteLength;
  const host = HostMemory.create({ adopt: memory, maximumPages: 4096 });
  const map = new AddressMap(host);
  map.mapRam(0x4000_0000n, 0x10_0000);
  const smmu = await Smmu.create(host, map);
  expect(smmu.translate({ sid: 1, iova: 0x5000n })).toMatchObject({ status: "bypass" });
  expect(new Uint8Array(memory.buffer, 0, mine).every((byte) => byte === 0x77)).toBe(true);
});

test("engines of both modes alternate over their own memories without a trace", async () => {
  const subjects = {
    arch: await Subject.create("arch", "fast"),
    qemu: await Subject.create("qemu", "none"),
  };
  for (let seed = 1; seed <= 400; seed++) {
    for (const mode of ["arch", "qemu"] as const) {
      const c = randomCase(seed, mode === "qemu" ? { target: "qemu" } : {});
      const found = firstDifference(c, { [mode]: subjects[mode] }, predictor(c, mode));
      if (found) expect.fail(describeDifference(seed, c, found));
    }
  }
});
