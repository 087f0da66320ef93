// The fix-up of a route on each of its ways, and the read section that every exit leaves.
import { describe, expect, it } from "vitest";
import { kvmArchFixupMsiRoute } from "../../src/kvm/fixup.ts";
import { RcuReader } from "../../src/kvm/rcu.ts";
import { msiRoute, routeAddress } from "../../src/kvm/route.ts";
import { DOORBELL, IOVA, type IommuKind, makeMachine } from "./machine.ts";

const run = (kind: IommuKind, address = IOVA) => {
  const { fn, fixup } = makeMachine(kind);
  const route = msiRoute(256, address, 5, 8);
  const result = kvmArchFixupMsiRoute(route, address, fn, fixup);
  return { result, address: routeAddress(route), depth: fixup.rcu.depth, route };
};

describe("kvmArchFixupMsiRoute", () => {
  it.each<[IommuKind, object, bigint]>([
    ["none", { result: 0, branch: "global", doorbell: IOVA }, IOVA],
    ["direct", { result: 0, branch: "direct", doorbell: DOORBELL }, DOORBELL],
    ["walk", { result: 0, branch: "walk", doorbell: DOORBELL }, DOORBELL],
    ["fault", { result: 1, branch: "walk", failure: "F_TRANSLATION" }, IOVA],
    ["outside", { result: 1, branch: "walk", doorbell: undefined }, IOVA],
  ])("%s", (kind, want, address) => {
    const got = run(kind);
    expect(got.result).toMatchObject(want);
    expect(got.address).toBe(address);
    expect(got.depth).toBe(0);
    expect(got.route).toMatchObject({ data: 5, devid: 8, flags: 1 });
  });

  it("does not look at the address when the doorbell is known, not even at an unmapped one", () => {
    for (const address of [0n, 0xffff_ffff_ffff_f000n, DOORBELL])
      expect(run("direct", address)).toMatchObject({ address: DOORBELL, result: { result: 0 } });
  });

  it("writes both halves of a doorbell above 4 GiB", () => {
    const { fn, fixup, bus } = makeMachine("direct");
    bus.iommuOps = {
      ...bus.iommuOps,
      getMsiDirectGpa: () => 0x12_3456_0040n,
    } as typeof bus.iommuOps;
    const route = msiRoute(256, IOVA, 0, 8);
    kvmArchFixupMsiRoute(route, IOVA, fn, fixup);
    expect([route.addressHi, route.addressLo]).toEqual([0x12, 0x34560040]);
  });

  it("leaves the read section on all four exits, over and over", () => {
    for (const kind of ["none", "direct", "walk", "fault", "outside"] as const) {
      const { fn, fixup } = makeMachine(kind);
      fixup.rcu.lock();
      for (let i = 0; i < 100; i++)
        kvmArchFixupMsiRoute(msiRoute(256, IOVA, 0, 8), IOVA, fn, fixup);
      expect(fixup.rcu.depth).toBe(1);
    }
  });
});

describe("RcuReader", () => {
  it("throws when a section is left twice", () => {
    const rcu = new RcuReader();
    rcu.lock();
    rcu.unlock();
    expect(() => rcu.unlock()).toThrow(/without being entered/);
    expect(rcu.depth).toBe(0);
  });
});
