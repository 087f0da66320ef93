// Kernel structures equal the offsets, sizes and numbers measured from the Linux 7.2 headers.
import { readFileSync } from "node:fs";
import { describe, expect, expectTypeOf, it } from "vitest";
import {
  array,
  type CStruct,
  cstruct,
  pack,
  shared,
  u8,
  u32,
  u64,
  unpack,
} from "../../src/spec/uapi.ts";
import * as iommufd from "../../src/spec/uapi-iommufd.ts";
import * as kvm from "../../src/spec/uapi-kvm.ts";
import * as vfio from "../../src/spec/uapi-vfio.ts";

type Row = [kind: string, name: string, ...rest: (string | number)[]];

const ROWS: Row[] = JSON.parse(
  readFileSync(new URL("../golden/spec/uapi.json", import.meta.url), "utf8"),
);
const EXPORTS: Record<string, unknown> = { ...kvm, ...vfio, ...iommufd };
const isStruct = (x: unknown): x is CStruct =>
  typeof x === "object" && x !== null && (x as CStruct).is === "cstruct";
const STRUCTS = Object.values(EXPORTS).filter(isStruct);
const BYTES: Record<string, number> = { u8: 1, u16: 2, u32: 4, u64: 8, s32: 4 };

describe("layout", () => {
  const members = ROWS.filter(([kind]) => kind === "field");
  const structs = ROWS.filter(([kind]) => kind === "struct");
  const constants = ROWS.filter(([kind]) => kind === "constant");

  it.each(members)("%s %s is at %s with %s bytes", (_, name, offset, size, type) => {
    const dot = name.indexOf(".");
    const owner = EXPORTS[name.slice(0, dot)];
    expect(isStruct(owner)).toBe(true);
    const member = (owner as CStruct).members[name.slice(dot + 1)];
    expect(member).toBeDefined();
    expect(member.offset).toBe(offset);
    expect(member.count * BYTES[member.scalar]).toBe(size);
    const scalar = String(type).replace("__le", "u").replace("__", "").replace(/\[.*/, "");
    expect(member.scalar).toBe(scalar.startsWith("struct") ? "u8" : scalar);
  });

  it.each(structs)("%s %s has %s bytes", (_, name, size) => {
    expect((EXPORTS[name] as CStruct).bytes).toBe(size);
  });

  it.each(constants)("%s %s is %s", (_, name, value) => {
    expect(EXPORTS[name]).toBe(value);
  });

  it("has nothing that the headers do not have", () => {
    const known = new Set(ROWS.map(([, name]) => name));
    const own = STRUCTS.flatMap((s) => Object.keys(s.members).map((m) => `${s.name}.${m}`));
    const all = [...own, ...Object.keys(EXPORTS)];
    expect(all.filter((name) => !known.has(name))).toEqual([]);
    expect(all.length).toBe(ROWS.length);
  });
});

describe("cstruct", () => {
  it("throws on a hole, an overlap, a misaligned member and a member outside", () => {
    expect(() => cstruct("s", 8, { a: u32(0) })).toThrow("s: no member has bytes 4 to 7");
    expect(() => cstruct("s", 12, { a: u8(0), b: u32(4), c: u32(8) })).toThrow(
      "s: no member has bytes 1 to 3",
    );
    expect(() => cstruct("s", 8, { a: u64(0), b: u32(4) })).toThrow("s.b overlaps");
    expect(() => cstruct("s", 8, { a: u8(0), b: u32(1) })).toThrow("s.b is not aligned");
    expect(() => cstruct("s", 4, { a: u32(0), b: shared(u32(4)) })).toThrow("s.b is outside");
  });
});

describe("pack and unpack", () => {
  it("writes the routing entry that Linux reads", () => {
    const bytes = pack(kvm.kvm_irq_routing_entry, {
      gsi: 24,
      type: kvm.KVM_IRQ_ROUTING_MSI,
      flags: kvm.KVM_MSI_VALID_DEVID,
      "u.msi.address_lo": 0x0809_0040,
      "u.msi.data": 3,
      "u.msi.devid": 0x0108,
    });
    expect(Buffer.from(bytes).toString("hex")).toBe(
      "1800000002000000010000000000000040000908000000000300000008010000" + "00".repeat(16),
    );
    expect(unpack(kvm.kvm_irq_routing_entry, bytes)["u.msi.devid"]).toBe(0x0108);
  });

  it("gives 64-bit members as bigint and others as number", () => {
    const values = unpack(
      iommufd.iommu_vdevice_alloc,
      pack(iommufd.iommu_vdevice_alloc, { size: 24, virt_id: 0xffff_ffff_ffff_ffffn }),
    );
    expectTypeOf(values.virt_id).toEqualTypeOf<bigint>();
    expectTypeOf(values.size).toEqualTypeOf<number>();
    expect(values).toEqual({
      size: 24,
      viommu_id: 0,
      dev_id: 0,
      out_vdevice_id: 0,
      virt_id: 0xffff_ffff_ffff_ffffn,
    });
  });

  it("appends a flexible array and reads it back", () => {
    const bytes = pack(vfio.vfio_irq_set, {
      argsz: 28,
      data: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
    });
    expect(bytes.length).toBe(28);
    expect(unpack(vfio.vfio_irq_set, bytes).data).toEqual(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    expect(unpack(vfio.vfio_irq_set, new Uint8Array(20)).data).toEqual(new Uint8Array(0));
  });

  it("keeps the sign of s32 elements and the words of an STE", () => {
    const reset = pack(vfio.vfio_pci_hot_reset, { count: 2, group_fds: [5, -1] });
    expect(unpack(vfio.vfio_pci_hot_reset, reset).group_fds).toEqual([5, -1]);
    const ste = pack(iommufd.iommu_hwpt_arm_smmuv3, { ste: [0xbn, 1n << 63n] });
    expect(unpack(iommufd.iommu_hwpt_arm_smmuv3, ste).ste).toEqual([0xbn, 1n << 63n]);
  });

  it("refuses values that do not fit, long arrays, unknown members and short input", () => {
    expect(() => pack(kvm.kvm_msi, { data: 2 ** 32 })).toThrow(RangeError);
    expect(() => pack(kvm.kvm_msi, { data: -1 })).toThrow(RangeError);
    expect(() => pack(kvm.kvm_msi, { pad: new Uint8Array(13) })).toThrow(RangeError);
    expect(() => pack(kvm.kvm_msi as CStruct, { nope: 1 })).toThrow("kvm_msi has no member nope");
    expect(() => unpack(kvm.kvm_msi, new Uint8Array(31))).toThrow(
      "kvm_msi has 32 bytes, there are 31",
    );
  });

  it("reads at an offset of a view", () => {
    const array16 = new Uint8Array(48).subarray(8);
    array16[12] = 7;
    expect(unpack(kvm.kvm_irq_routing_irqchip, array16, 8).pin).toBe(7);
    const s = cstruct("s", 4, { b: array("u8", 0, 4) });
    const out = unpack(s, array16, 12);
    array16[12] = 9;
    expect(out.b).toEqual(Uint8Array.of(7, 0, 0, 0));
  });
});
