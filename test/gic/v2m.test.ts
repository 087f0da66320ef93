// GICv2m: the doorbell and SPIs of a real guest, and messages that are none of its own.
import { describe, expect, it } from "vitest";
import { GicV2m, gsiOfV2mData } from "../../src/gic/v2m.ts";
import { readManifest } from "./capture.ts";

describe("GicV2m", () => {
  it("delivers every vector of a real guest to its SPI", () => {
    const v2m = new GicV2m(0x08020000n);
    const { msis } = readManifest("gicv2m-4k-strict");
    expect(msis.map((msi) => msi.pa)).toEqual(msis.map(() => v2m.doorbell));
    expect(msis.map((msi) => v2m.deliver(msi.data))).toEqual(
      msis.map((msi) => ({ outcome: "delivered", reason: "the SPI is pending", spi: msi.data })),
    );
    expect(msis.length).toBeGreaterThan(10);
  });

  it("loses messages that name no SPI of the frame; only 10 bits count", () => {
    const v2m = new GicV2m(0x08020000n);
    expect([79, 144, 0].map((data) => v2m.deliver(data).outcome)).toEqual(["lost", "lost", "lost"]);
    expect(v2m.deliver(0x400 + 80).spi).toBe(80);
  });

  it("says what it owns", () => {
    const v2m = new GicV2m(0x08020000n);
    expect([v2m.read(0x008), v2m.read(0xfcc), v2m.read(0x100)]).toEqual([0x500040, 0x05100000, 0]);
    expect([v2m.contains(0x08020fffn), v2m.contains(0x08021000n)]).toEqual([true, false]);
    expect(() => new GicV2m(0n, 16, 8)).toThrow(RangeError);
    expect(() => new GicV2m(0n, 1000, 64)).toThrow(RangeError);
  });

  it("has a GSI for each message without a route", () => {
    expect([80, 32, 0, 0x10020].map(gsiOfV2mData)).toEqual([48, 0, 0xffe0, 0]);
  });
});
