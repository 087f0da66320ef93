// The message of an accelerated guest: faults in stage 2 as the guest programmed it, arrives as the
// host did.
import { describe, expect, it } from "vitest";
import { accelDoorbells } from "../../src/capture/accel-doorbells.ts";
import { openCapture } from "../../src/capture/capture.ts";
import { machineOf } from "../../src/capture/machine.ts";
import { directoryFiles } from "../../src/capture/node.ts";

const open = async (name: string) => {
  const place = new URL(`../captures/${name}`, import.meta.url).pathname;
  return await openCapture(await directoryFiles(place));
};

describe("messages of the recorded accelerated guest", () => {
  it("take three ways", async () => {
    const capture = await open("l1-accel-uefi");
    const doorbells = await accelDoorbells(capture, await machineOf(capture));
    expect(doorbells.map((d) => [d.hostBdf, d.hostSid, d.guestSid, d.vector])).toEqual([
      ["0000:00:05.0", 0x28, 0x8, 0],
      ["0000:00:05.0", 0x28, 0x8, 1],
      ["0000:00:04.0", 0x20, 0x10, 0],
      ["0000:00:04.0", 0x20, 0x10, 1],
      ["0000:00:04.0", 0x20, 0x10, 2],
    ]);
    for (const { nested, physical, direct } of doorbells) {
      const { iova, pa, event, stage, ipa } = nested;
      expect({ iova, pa, event, stage, ipa }).toEqual({
        iova: 0xffff_f040n,
        pa: null,
        event: "F_TRANSLATION",
        stage: 2,
        ipa: 0x0809_0000n,
      });
      expect(physical?.iova).toBe(0x0800_0040n);
      expect(physical?.pa).toBe(0x0809_0040n);
      expect(direct).toBe(0x0809_0040n);
    }
  });

  it("are none where no VMM was recorded, or it does not accelerate", async () => {
    for (const name of ["s1-4k-strict-nobg", "l1-vsmmu-virtio", "l1-vfio-kvm"]) {
      const capture = await open(name);
      expect(await accelDoorbells(capture, await machineOf(capture))).toEqual([]);
    }
  });
});
