// Routes that go wrong: unmapped addresses, masks, a deaf ITS, an SMMU that aborts.

import { expect, test } from "vitest";
import { openCapture } from "../../src/capture/capture.ts";
import { InputError } from "../../src/capture/errors.ts";
import { machineOf } from "../../src/capture/machine.ts";
import { measureCost } from "../../src/machine/cost.ts";
import { programmedVectors, type RouteReport, resolveVectors } from "../../src/machine/route.ts";
import { type Edits, editedFiles } from "../capture/captures.ts";

async function routesOf(name: string, edits: Edits = {}): Promise<RouteReport[]> {
  return resolveVectors(await machineOf(await openCapture(editedFiles(name, edits))));
}

const NAME = "s1-4k-strict-nobg";

test("an unmapped address walks into a fault; the doorbell is known anyway", async () => {
  const routes = await routesOf(NAME, {
    manifest(m) {
      m.pci[1].msix.entries[0].addr = 0xabcde040;
    },
  });
  expect(routes[0]).toMatchObject({
    iova: 0xabcde040n,
    walk: { gpa: null, event: "F_TRANSLATION" },
    direct: { gpa: 0x8090040n },
    agree: false,
    route: { address: 0x8090040n },
    delivery: { status: "delivered" },
  });
  expect(routes.slice(1).every((r) => r.agree)).toBe(true);
});

test("an address that is mapped to memory disagrees with the doorbell", async () => {
  const routes = await routesOf(NAME, {
    manifest(m) {
      m.pci[1].msix.entries[0].addr = 0xffffa040;
    },
  });
  expect(routes[0]).toMatchObject({ walk: { gpa: 0x468a8040n, event: null }, agree: false });
});

test("a masked vector is resolved but not sent; an empty one is no route", async () => {
  const routes = await routesOf(NAME, {
    manifest(m) {
      m.pci[1].msix.entries[0].ctrl = 1;
      m.pci[1].msix.entries[1].addr = 0;
      m.pci[2].msix.masked = 1;
    },
  });
  expect(routes).toHaveLength(17);
  expect(routes[0]).toMatchObject({
    masked: true,
    agree: true,
    delivery: { status: "masked", lpi: 8193, target: 1 },
  });
  expect(routes[1].vector).toBe(2);
});

test.each<[string, Edits, string, RegExp]>([
  [
    "a disabled ITS",
    {
      manifest: (m) => {
        m.its.regs.CTLR = 0;
      },
    },
    "lost",
    /Enabled is 0/,
  ],
  [
    "redistributors without LPIs",
    {
      manifest: (m) => {
        for (const r of m.gicr) r.CTLR = 0;
      },
    },
    "lost",
    /EnableLPIs is 0/,
  ],
  [
    "an EventID without a mapping",
    {
      manifest: (m) => {
        m.pci[1].msix.entries[0].data = 77;
      },
    },
    "lost",
    /EventID/,
  ],
])("%s loses the message and says why", async (_what, edits, status, reason) => {
  const [first] = await routesOf(NAME, edits);
  expect(first.delivery.status).toBe(status);
  expect(first.delivery.reason).toMatch(reason);
  expect(first.agree).toBe(true);
});

test("an SMMU that is off passes addresses: both ways differ for an IOVA", async () => {
  const routes = await routesOf(NAME, {
    manifest(m) {
      Object.assign(m.smmu[0].regs, { CR0: 0, CR0ACK: 0 });
    },
  });
  expect(routes[0].walk).toMatchObject({ gpa: null, event: "no memory at the translated address" });
});

test("a GICv2m's message is an SPI, and its GSI is the SPI's number", async () => {
  const routes = await routesOf("gicv2m-4k-strict");
  expect(routes[0]).toMatchObject({
    data: 81,
    walk: { gpa: 0x8020040n },
    direct: { gpa: 0x8020040n },
    route: { gsi: 49, address: 0x8020040n, data: 81 },
    delivery: { status: "delivered", lpi: 81, target: null },
  });
  const outside = await routesOf("gicv2m-4k-strict", {
    manifest: (m) => {
      m.pci[1].msix.entries[0].data = 20;
    },
  });
  expect(outside[0].delivery).toMatchObject({ status: "lost", lpi: null });
});

test("without a walked vector there is no cost", async () => {
  const capture = await openCapture(
    editedFiles("passthrough-4k", {
      manifest(m) {
        for (const p of m.pci) p.smmu = null;
      },
    }),
  );
  const machine = await machineOf(capture);
  const routes = resolveVectors(machine);
  expect(routes.every((r) => r.walk === null && r.agree)).toBe(true);
  expect(measureCost(machine, programmedVectors(machine), routes)).toEqual({
    walkNs: null,
    directNs: null,
    ratio: null,
    fetchesPerWalk: null,
  });
});

test("a function that cannot be is an unreadable input", async () => {
  const files = editedFiles(NAME, {
    manifest: (m) => {
      m.pci[1].bdf = "zz:00.0";
    },
  });
  const capture = await openCapture(files);
  await expect(machineOf(capture)).rejects.toThrow(InputError);
  const twice = editedFiles(NAME, {
    manifest: (m) => {
      m.pci[1].bdf = m.pci[0].bdf;
    },
  });
  await expect(openCapture(twice).then((c) => machineOf(c))).rejects.toThrow(/already there/);
});
