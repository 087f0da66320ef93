// The routing table: the kernel's bytes, limits and replacement; the VMM's list over it.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type MsiRoute,
  msiRoute,
  packRoute,
  packRouting,
  type Route,
  unpackRoute,
} from "../../src/kvm/route.ts";
import { IrqRoutingTable } from "../../src/kvm/routing.ts";
import { errnoName } from "../../src/spec/errno.ts";
import { IOVA, makeMachine } from "./machine.ts";

interface RoutingCall {
  io: string;
  nr: number;
  irqchip_entries: number;
  msi: { gsi: number; flags: number; address: string; data: number; devid: number }[];
  raw_msi_entries: string[];
}

/** KVM_SET_GSI_ROUTING calls that a real VMM made. */
function recordedCalls(name: string): RoutingCall[] {
  const file = new URL(`../captures/${name}/vmm-ioctls.jsonl.gz`, import.meta.url);
  return gunzipSync(readFileSync(fileURLToPath(file)))
    .toString("utf8")
    .split("\n")
    .filter((line) => line.includes('"KVM_SET_GSI_ROUTING"'))
    .map((line) => JSON.parse(line));
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const spi = (pin: number): Route => ({ type: "irqchip", gsi: pin, flags: 0, irqchip: 0, pin });
const spis = Array.from({ length: 256 }, (_, pin) => spi(pin));

describe.each(["l1-vsmmu-virtio", "l1-vfio-kvm", "l1-accel-uefi"])("routes of %s", (name) => {
  it("have the recorded bytes and are taken by the table", () => {
    const calls = recordedCalls(name);
    const table = new IrqRoutingTable();
    for (const call of calls) {
      const routes = call.msi.map((m) => msiRoute(m.gsi, BigInt(m.address), m.data, m.devid));
      expect(routes.map((r) => hex(packRoute(r)))).toEqual(call.raw_msi_entries);
      const raw = call.raw_msi_entries.map((entry) => unpackRoute(Buffer.from(entry, "hex")));
      expect(raw).toEqual(routes);
      const argument = packRouting([...spis, ...routes]);
      expect([argument.length, table.set(argument)]).toEqual([8 + 48 * call.nr, 0]);
      expect(table.size).toBe(call.nr);
      for (const route of routes) expect(table.routesOf(route.gsi)).toEqual([route]);
    }
    expect(calls.length).toBeGreaterThan(3);
  });
});

describe("KVM_SET_GSI_ROUTING", () => {
  const set = (routes: Route[]): string => {
    const result = new IrqRoutingTable().set(packRouting(routes));
    return errnoName(result) ?? String(result);
  };
  const message = (gsi: number, flags = 1): Route => ({ ...msiRoute(gsi, IOVA, 0, 8), flags });

  it.each<[string, Route[], string]>([
    ["nothing", [], "0"],
    ["4096 routes", Array.from({ length: 4096 }, (_, gsi) => message(gsi)), "0"],
    ["4097 routes", Array.from({ length: 4097 }, (_, gsi) => message(gsi % 4096)), "EINVAL"],
    ["a GSI of 4096", [message(4096)], "EINVAL"],
    ["a message without a DeviceID", [message(0, 0)], "0"],
    ["unknown MSI flags", [message(0, 2)], "EINVAL"],
    ["flags on a pin", [{ ...spi(1), flags: 1 } as Route], "EINVAL"],
    ["the last pin", [{ type: "irqchip", gsi: 1, flags: 0, irqchip: 0, pin: 987 }], "0"],
    ["a pin too far", [{ type: "irqchip", gsi: 1, flags: 0, irqchip: 0, pin: 988 }], "EINVAL"],
    [
      "a second interrupt controller",
      [{ type: "irqchip", gsi: 1, flags: 0, irqchip: 1, pin: 0 }],
      "EINVAL",
    ],
    ["a route of another architecture", [{ type: "other", gsi: 1, flags: 0, kind: 3 }], "EINVAL"],
    ["two messages for one GSI", [message(5), message(5)], "EINVAL"],
    ["a message and a pin for one GSI", [message(5), spi(5)], "EINVAL"],
  ])("answers %s", (_, routes, want) => {
    expect(set(routes)).toBe(want);
  });

  it("keeps the old table when it refuses a new one", () => {
    const table = new IrqRoutingTable();
    table.set(packRouting([message(7)]));
    table.set(packRouting([message(8), message(8)]));
    expect([table.routesOf(7).length, table.routesOf(8).length, table.generation]).toEqual([
      1, 0, 1,
    ]);
    table.set(packRouting([message(8)]));
    expect([table.routesOf(7).length, table.routesOf(8).length, table.generation]).toEqual([
      0, 1, 2,
    ]);
  });

  it("refuses flags of the table, and a table that is shorter than it says", () => {
    const argument = packRouting([message(7), message(8)]);
    const table = new IrqRoutingTable();
    expect(errnoName(table.set(argument.subarray(0, 100)))).toBe("EFAULT");
    expect(errnoName(table.set(argument.subarray(0, 4)))).toBe("EFAULT");
    argument[4] = 1;
    expect(errnoName(table.set(argument))).toBe("EINVAL");
  });

  it("survives any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect([0, -14, -22]).toContain(new IrqRoutingTable().set(bytes));
      }),
    );
  });
});

describe("the VMM's list", () => {
  const address = (routes: readonly Route[]): (bigint | undefined)[] =>
    routes.map((r) => (r.type === "msi" ? BigInt(r.addressLo) : undefined));

  it("does what the recorded VMM did for a virtio device behind an emulated SMMU", () => {
    const { fn, irqchip, events } = makeMachine("walk", [16]);
    irqchip.commitRoutes();
    const message = (data: number) => ({ address: IOVA, data });
    expect(irqchip.addMsiRoute(fn, 1, message(1))).toBe(256);
    irqchip.commitRoutes();
    expect(irqchip.addMsiRoute(fn, 0, message(0))).toBe(257);
    irqchip.commitRoutes();
    for (const [gsi, data] of [
      [257, 0],
      [256, 1],
    ]) {
      expect(irqchip.updateMsiRoute(gsi, fn, message(data))).toBe(1);
      irqchip.commitRoutes();
    }
    const commits = events.flatMap((e) => (e.kind === "commit" ? [e.argument] : []));
    const entries = commits.map((bytes) =>
      Array.from({ length: (bytes.length - 8) / 48 - 256 }, (_, i) =>
        hex(bytes.subarray(8 + 48 * (256 + i), 8 + 48 * (257 + i))),
      ),
    );
    expect(entries).toEqual(recordedCalls("l1-vsmmu-virtio").map((call) => call.raw_msi_entries));
    const order =
      "commit fixup add commit fixup add commit fixup update commit fixup update commit";
    expect(events.map((e) => e.kind).join(" ")).toBe(order);
  });

  it("gives a GSI back when the fix-up fails", () => {
    const { fn, irqchip, fixup } = makeMachine("fault");
    expect(errnoName(irqchip.addMsiRoute(fn, 0, { address: IOVA, data: 0 }))).toBe("EINVAL");
    expect([irqchip.routes.length, fixup.rcu.depth]).toEqual([256, 0]);
    expect(errnoName(irqchip.updateMsiRoute(256, fn, { address: IOVA, data: 0 }))).toBe("EINVAL");
  });

  it("runs out of GSIs and reuses freed ones, the last route taking a freed place", () => {
    const { fn, irqchip } = makeMachine("none", [8], { spis: 1, gsis: 4 });
    const add = (data: number) => irqchip.addMsiRoute(fn, 0, { address: BigInt(data), data });
    expect([add(1), add(2), add(3), errnoName(add(4))]).toEqual([1, 2, 3, "ENOSPC"]);
    irqchip.releaseGsi(1);
    expect(address(irqchip.routes)).toEqual([undefined, 3n, 2n]);
    expect(add(5)).toBe(1);
    expect(address(irqchip.routes)).toEqual([undefined, 3n, 2n, 5n]);
    irqchip.commitRoutes();
    expect(irqchip.updateMsiRoute(9, fn, { address: 0n, data: 0 })).toBe(-3);
  });

  it("stops at the 4095 GSIs that the kernel leaves", () => {
    const { fn, irqchip } = makeMachine("none");
    let count = 0;
    while (irqchip.addMsiRoute(fn, 0, { address: 0n, data: 0 }) >= 0) count++;
    expect(count).toBe(4095 - 256);
    irqchip.commitRoutes();
  });

  it("makes no routes for a GICv2m: the data is the GSI", () => {
    const { fn, irqchip, vm, events } = makeMachine("walk", [8], { directMapping: true });
    expect(irqchip.addMsiRoute(fn, 0, { address: IOVA, data: 80 })).toBe(48);
    expect(irqchip.updateMsiRoute(48, fn, { address: IOVA, data: 81 })).toBe(0);
    irqchip.commitRoutes();
    expect([vm.routing.generation, events.length]).toEqual([0, 0]);
  });

  it("keeps the type of a route's parts", () => {
    const route: MsiRoute = msiRoute(1, 0x12_0809_0040n, 3);
    expect(route).toMatchObject({ flags: 0, addressHi: 0x12, addressLo: 0x08090040, devid: 0 });
  });
});
