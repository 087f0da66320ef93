// What a VMM did for passed-through MSI-X vectors, call by call, replayed from its trace.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { PciFunction } from "../../src/pci/function.ts";
import { unpack } from "../../src/spec/uapi.ts";
import { kvm_irqfd } from "../../src/spec/uapi-kvm.ts";
import { VfioPciDevice } from "../../src/vfio/device.ts";
import { packIrqSet, unpackIrqSet } from "../../src/vfio/irqset.ts";
import { IOVA, type IommuKind, makeMachine } from "../kvm/machine.ts";

const MSIX_INDEX = 2;
const FIRST_MSI_GSI = 256;

const lines = (name: string, file: string): string[] =>
  gunzipSync(readFileSync(fileURLToPath(new URL(`../captures/${name}/${file}`, import.meta.url))))
    .toString("utf8")
    .split("\n");

/** One call as both sides are compared: its name and the parts that matter. */
type Call = readonly [io: string, ...parts: unknown[]];

/** The recorded calls that MSI-X vectors cause. */
function recorded(name: string): Call[] {
  return lines(name, "vmm-ioctls.jsonl.gz")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line))
    .flatMap((call): Call[] => {
      const { io, index, gsi } = call;
      if (io === "KVM_SET_GSI_ROUTING") return [[io, call.raw_msi_entries]];
      if (io === "KVM_IRQFD" && gsi >= FIRST_MSI_GSI) return [[io, call.eventfd, gsi, call.flags]];
      if (io !== "VFIO_DEVICE_SET_IRQS" || index !== MSIX_INDEX) return [];
      return [[io, call.flags, call.start, call.count, call.eventfds ?? []]];
    });
}

/**
 * Replaces eventfds by the order of their first appearance: numbers of descriptors do not matter.
 */
function renamed(calls: readonly Call[]): Call[] {
  const names = new Map<number, string>();
  const rename = (fd: number): string => {
    if (fd === -1) return "none";
    if (!names.has(fd)) names.set(fd, `fd${names.size}`);
    return names.get(fd) as string;
  };
  return calls.map(([io, ...parts]): Call => {
    if (io === "KVM_IRQFD") return [io, rename(parts[0] as number), ...parts.slice(1)];
    if (io === "VFIO_DEVICE_SET_IRQS")
      return [io, ...parts.slice(0, 3), (parts[3] as number[]).map(rename)];
    return [io, ...parts];
  });
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** A machine whose calls are written down as `recorded` has them. */
function makeReplay(kind: IommuKind, places: ReadonlyMap<string, number>) {
  const calls: Call[] = [];
  const { functions, irqchip, events, vm } = makeMachine(kind, [...places.values()], {
    vectors: 65,
  });
  const irqfd = vm.irqfd.bind(vm);
  vm.irqfd = (argument) => {
    const { fd, gsi, flags } = unpack(kvm_irqfd, argument);
    calls.push(["KVM_IRQFD", fd, gsi, flags]);
    return irqfd(argument);
  };
  const set = vm.setGsiRouting.bind(vm);
  vm.setGsiRouting = (argument) => {
    const entries = Array.from({ length: (argument.length - 8) / 48 }, (_, i) =>
      hex(argument.subarray(8 + 48 * i, 56 + 48 * i)),
    );
    calls.push(["KVM_SET_GSI_ROUTING", entries.slice(256)]);
    return set(argument);
  };
  const open = new Set<number>();
  const host = {
    setIrqs(argument: Uint8Array) {
      const { flags, start, count, eventfds } = unpackIrqSet(argument);
      calls.push(["VFIO_DEVICE_SET_IRQS", flags, start, count, eventfds ?? []]);
      return 0;
    },
    openEventfd() {
      let fd = 100;
      while (open.has(fd)) fd++;
      open.add(fd);
      return fd;
    },
    closeEventfd: (fd: number) => void open.delete(fd),
  };
  const devices = new Map(
    [...places.keys()].map((bdf, i) => [bdf, new VfioPciDevice(functions[i], irqchip, host)]),
  );
  irqchip.commitRoutes();
  return { calls, devices, events, open };
}

/** Writes a table entry as a guest does: message, then mask. */
function program(fn: PciFunction, vector: number, address: bigint, mask: bigint): void {
  fn.msix?.writeTable(16 * vector, 8, address);
  fn.msix?.writeTable(16 * vector + 8, 4, BigInt(vector));
  fn.msix?.writeTable(16 * vector + 12, 4, mask);
}

const VECTOR_LINE =
  /^vfio_msix_(enable|disable|vector_do_use|vector_release) {2}\((\S+)\)(?: vector (\d+))?/;

/**
 * Does what the trace says the guest did. The second release of a vector is the disabling itself.
 */
function drive(name: string, devices: ReadonlyMap<string, VfioPciDevice>, address: bigint): void {
  const steps = lines(name, "vmm-trace.txt.gz").flatMap((line) => {
    const match = VECTOR_LINE.exec(line);
    return match ? [{ what: match[1], bdf: match[2], vector: Number(match[3]) }] : [];
  });
  steps.forEach(({ what, bdf, vector }, i) => {
    const device = devices.get(bdf);
    if (device === undefined) throw new Error(`no device ${bdf}`);
    const control = (device.fn.msix?.offset ?? 0) + 2;
    if (what === "enable") {
      device.writeConfig(control, 2, 0xc000);
      device.writeConfig(control, 2, 0x8000);
    }
    if (what === "disable") device.writeConfig(control, 2, 0);
    if (what === "vector_do_use") program(device.fn, vector, address, 0n);
    if (what === "vector_release" && steps[i + 1]?.what !== "disable")
      program(device.fn, vector, address, 1n);
  });
}

describe("MSI-X of passed-through functions", () => {
  it.each<[string, IommuKind, bigint, [string, number][]]>([
    ["l1-vfio-kvm", "none", 0x08090040n, [["0000:00:05.0", 0x08]]],
    [
      "l1-accel-uefi",
      "direct",
      IOVA,
      [
        ["0000:00:05.0", 0x08],
        ["0000:00:04.0", 0x10],
      ],
    ],
  ])("of %s make the recorded calls in order", (name, kind, address, places) => {
    const { calls, devices, events } = makeReplay(kind, new Map(places));
    drive(name, devices, address);
    expect(renamed(calls)).toEqual(renamed(recorded(name)));
    expect(calls.length).toBeGreaterThan(15);
    const fixups = events.flatMap((e) => (e.kind === "fixup" ? [e.fixup.doorbell] : []));
    const traced = lines(name, "vmm-trace.txt.gz").filter((l) =>
      l.startsWith("kvm_irqchip_add_msi"),
    );
    expect(fixups).toEqual(traced.map(() => 0x08090040n));
  });

  it("signal KVM while routed and unmasked, else user space", () => {
    const { devices, calls } = makeReplay("direct", new Map([["a", 8]]));
    const device = devices.get("a") as VfioPciDevice;
    expect(device.interrupt(0)).toEqual({ path: "none" });
    device.writeConfig(device.fn.msix!.offset + 2, 2, 0x8000);
    program(device.fn, 0, IOVA, 0n);
    expect(device.interrupt(0)).toMatchObject({ path: "kvm", signals: [{ kind: "message" }] });
    program(device.fn, 0, IOVA, 1n);
    expect(device.interrupt(0)).toEqual({ path: "user space", result: "pending" });
    expect(device.gsiOf(0)).toBe(256);
    const sent: bigint[] = [];
    device.fn.msix!.send = ({ address }) => sent.push(address);
    program(device.fn, 0, IOVA, 0n);
    expect(sent).toEqual([IOVA]);
    expect(calls.at(-1)?.[0]).toBe("VFIO_DEVICE_SET_IRQS");
  });

  it("leave a vector to user space when its route fails, and send its message untranslated", () => {
    const { devices, open } = makeReplay("fault", new Map([["a", 8]]));
    const device = devices.get("a") as VfioPciDevice;
    device.writeConfig(device.fn.msix!.offset + 2, 2, 0x8000);
    program(device.fn, 0, IOVA, 0n);
    expect([device.gsiOf(0), device.interrupt(0)]).toEqual([
      undefined,
      { path: "user space", result: "sent" },
    ]);
    device.writeConfig(device.fn.msix!.offset + 2, 2, 0);
    expect(open.size).toBe(0);
  });
});

describe("VFIO_DEVICE_SET_IRQS", () => {
  it("has the kernel's bytes and comes back", () => {
    const set = { flags: 36, index: 2, start: 1, count: 2, eventfds: [23, -1] };
    const bytes = packIrqSet(set);
    expect(hex(bytes)).toBe("1c0000002400000002000000010000000200000017000000ffffffff");
    expect(unpackIrqSet(bytes)).toEqual(set);
    const off = { flags: 33, index: 2, start: 0, count: 0 };
    expect([hex(packIrqSet(off)).slice(0, 8), unpackIrqSet(packIrqSet(off))]).toEqual([
      "14000000",
      off,
    ]);
    expect(() => unpackIrqSet(bytes.subarray(0, 10))).toThrow(RangeError);
  });
});
