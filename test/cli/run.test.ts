// `vsmmu run`: every vector of every capture both ways, as text and as JSON.

import { describe, expect, test } from "vitest";
import { CAPTURES, directoryOf, textOf } from "../capture/captures.ts";
import { call } from "./call.ts";

const HEX = /^0x[0-9a-f]+$/;

async function runJson(name: string) {
  const r = await call(["run", directoryOf(name), "--json"]);
  expect(r.err).toBe("");
  return { code: r.code, json: JSON.parse(r.out) };
}

describe.each(CAPTURES)("%s", (name) => {
  test("agrees on every vector and gives the LPIs that the guest has", async () => {
    const { code, json } = await runJson(name);
    const manifest = JSON.parse(textOf(name, "manifest.json"));
    expect(code).toBe(0);
    expect(json.routes).toHaveLength(manifest.msi.length);
    expect(json.summary).toEqual({
      routes: manifest.msi.length,
      agree: manifest.msi.length,
      delivered: manifest.msi.filter((m: { ctrl: number }) => m.ctrl === 0).length,
    });
    const gsis = new Set<number>();
    for (const m of manifest.msi) {
      const route = json.routes.find(
        (r: { bdf: string; vector: number }) => r.bdf === m.bdf && r.vector === m.vector,
      );
      expect(route).toMatchObject({ sid: m.sid, data: m.data, masked: m.ctrl === 1, agree: true });
      expect(BigInt(route.iova)).toBe(BigInt(m.iova));
      expect(BigInt(route.walk.gpa)).toBe(BigInt(m.pa));
      expect(route.direct.gpa).toBe(route.walk.gpa);
      expect(route.route).toMatchObject({ address: route.walk.gpa, data: m.data, devid: m.sid });
      if (m.lpi === undefined) expect(route.delivery).toMatchObject({ lpi: m.data, target: null });
      else expect(route.delivery).toMatchObject({ lpi: m.lpi, target: m.rdbase });
      gsis.add(route.route.gsi);
    }
    expect(gsis.size).toBe(manifest.msi.length);
  });
});

test("the JSON has the documented shape", async () => {
  const { json } = await runJson("s1-4k-strict-nobg");
  expect(Object.keys(json)).toEqual(["capture", "guest", "smmus", "routes", "summary", "cost"]);
  expect(json).toMatchObject({
    capture: "s1-4k-strict-nobg",
    guest: "Linux 7.2.13 Debian arm64 4K",
    smmus: [{ base: "0x9050000", stages: "1+2", oasBits: 44 }],
  });
  expect(json.routes[0]).toEqual({
    bdf: "0000:00:02.0",
    sid: 16,
    vector: 0,
    masked: false,
    iova: "0xfffff040",
    data: 0,
    walk: { gpa: "0x8090040", fetches: 7, event: null },
    direct: { gpa: "0x8090040" },
    agree: true,
    route: { gsi: 256, address: "0x8090040", data: 0, devid: 16 },
    delivery: {
      status: "delivered",
      reason: expect.any(String),
      deviceId: 16,
      eventId: 0,
      lpi: 8193,
      target: 1,
    },
  });
  expect(json.routes.every((r: { iova: string }) => HEX.test(r.iova))).toBe(true);
  const { walkNs, directNs, ratio, fetchesPerWalk } = json.cost;
  expect(fetchesPerWalk).toBe(7);
  expect(walkNs).toBeGreaterThan(0);
  expect(directNs).toBeGreaterThan(0);
  expect(ratio).toBeCloseTo(walkNs / directNs, 1);
});

test("nested tables cost more fetches, bypass fewer", async () => {
  const nested = await runJson("l1-accel-uefi");
  const bypass = await runJson("passthrough-4k");
  expect(nested.json.cost.fetchesPerWalk).toBe(26);
  expect(bypass.json.cost.fetchesPerWalk).toBe(2);
});

test("the text has a line for each vector, and fits the terminal", async () => {
  const r = await call(["run", directoryOf("l1-vfio-kvm")], { columns: 100 });
  expect(r.code).toBe(0);
  const lines = r.out.split("\n");
  expect(lines.filter((l) => l.startsWith("  0000:"))).toHaveLength(5);
  expect(lines.every((l) => l.length <= 100)).toBe(true);
  expect(r.out).toMatch(/0000:00:04\.0 +0 +0xfffff040 +0x8090040 +7 +0x8090040 +yes +256 +8320 +0/);
  expect(r.out).toContain("5 vectors, 5 agree, 2 delivered, 3 masked.");
  expect(r.out).toMatch(
    /A walk takes .* \(7 fetches\), the direct doorbell .*: a factor of [\d.]+\./,
  );
});

test("without an argument it runs the built-in capture", async () => {
  const r = await call(["run", "--json"]);
  expect(JSON.parse(r.out).capture).toBe("s1-4k-strict-nobg");
  expect(r.code).toBe(0);
});
