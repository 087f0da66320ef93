// iommufd objects: ids, bytes and errnos against the recorded calls of a real kernel and its
// documented rules.
import { describe, expect, test } from "vitest";
import type { HostPagingDomain } from "../../src/smmu/host-driver.ts";
import { KernelError } from "../../src/vfio/errno.ts";
import type { HwptPaging } from "../../src/vfio/iommufd/hwpt.ts";
import type { Iommufd } from "../../src/vfio/iommufd/iommufd.ts";
import {
  Host,
  hex,
  nestedHost,
  PAGE,
  RAM_BYTES,
  RAM_PA,
  RAM_VA,
  RECORDED_INFO,
  unhex,
} from "./host.ts";

/** The errno name that a call fails with, or "ok". */
function errnoOf(call: () => unknown): string {
  try {
    call();
    return "ok";
  } catch (error) {
    if (error instanceof KernelError) return error.code;
    throw error;
  }
}

/** Runs an ioctl given as hex and returns its result and the bytes afterwards. */
function raw(iommufd: Iommufd, nr: number, text: string): [number, string] {
  const bytes = unhex(text);
  return [iommufd.ioctl(nr, bytes), hex(bytes)];
}

describe("the recorded start of an accelerated VM", () => {
  test("gives the recorded ids and bytes", () => {
    const host = new Host();
    const { iommufd, client } = host;
    const first = iommufd.bind(host.device("0000:00:05.0", 0x28));
    expect(first.id).toBe(1);
    expect(raw(iommufd, 0x3b81, "0c0000000000000000000000")).toEqual([
      0,
      "0c0000000000000002000000",
    ]);
    expect(client.hwInfo(1)).toMatchObject({ capabilities: 8n, smmu: { idr: RECORDED_INFO.idr } });
    const parent = client.allocPaging(1, 2, 1);
    expect(parent).toBe(3);
    expect(iommufd.attach(first, parent)).toBe(3);
    const ranges = "2000000002000000000000000000000000000000000000000000000000000000";
    expect(raw(iommufd, 0x3b84, ranges)).toEqual([
      -90,
      "2000000002000000020000000000000000000000000000000010000000000000",
    ]);
    expect(client.iovaRanges(2).ranges).toEqual([
      { start: 0n, last: 0x7ffffffn },
      { start: 0x8100000n, last: (1n << 44n) - 1n },
    ]);
    expect(errnoOf(() => client.cmdqvInfo(1))).toBe("EOPNOTSUPP");
    expect(client.allocViommu(1, 3)).toBe(4);
    expect([client.allocNested(1, 4, [1n, 0n]), client.allocNested(1, 4, [9n, 0n])]).toEqual([
      5, 6,
    ]);
    const others = [host.device("0000:00:04.0", 0x20), host.device("0000:00:06.0", 0x30)];
    const [second, third] = others.map((d) => iommufd.bind(d));
    expect([second.id, third.id]).toEqual([7, 8]);
    expect(client.allocVdevice(4, 8, 0x18n)).toBe(9);
    expect(client.allocVdevice(4, 7, 0x10n)).toBe(10);
    expect(client.allocVdevice(4, 1, 0x8n)).toBe(11);
    const queue = "20000000000000000400000001000000008000000000000000000000000000000";
    expect(raw(iommufd, 0x3b93, queue.slice(0, 64))).toEqual([
      0,
      "20000000000000000400000001000000008000000c0000000300000000000000",
    ]);
    expect(client.allocNested(1, 4, [0x4086100bn, 0xd6n])).toBe(13);
  });

  test("an id is free again as soon as its object is gone", () => {
    const { host, device, viommu } = nestedHost();
    const [a, b] = [1n, 9n].map((w) => host.client.allocNested(device.id, viommu, [w, 0n]));
    host.client.destroy(a);
    expect(host.client.allocIoas()).toBe(a);
    expect(host.client.allocIoas()).toBe(b + 1);
  });

  test("the vDEVICE of a closed device leaves its id taken", () => {
    const { host, device, viommu } = nestedHost();
    const vdevice = host.client.allocVdevice(viommu, device.id, 8n);
    host.iommufd.unbind(device);
    expect(errnoOf(() => host.client.destroy(vdevice))).toBe("ENOENT");
    expect(host.client.allocIoas()).toBe(device.id);
    expect(host.client.allocIoas()).toBe(vdevice + 1);
  });
});

describe("the ioctl front", () => {
  const host = new Host();
  const call = (nr: number, text: string) => raw(host.iommufd, nr, text)[0];

  test("sizes and unknown numbers", () => {
    expect(call(0x3b81, "0800000000000000")).toBe(-22);
    expect(call(0x3b81, "0c000000")).toBe(-14);
    expect(call(0x3b81, "10000000000000000000000000000000")).toBe(0);
    expect(call(0x3b81, "10000000000000000000000001000000")).toBe(-7);
    expect(call(0x3b7f, "0c0000000000000000000000")).toBe(-25);
    expect(call(0x3b92, "0800000000000000")).toBe(-25);
    expect(call(0x3b81, "0c0000000100000000000000")).toBe(-95);
  });

  test("a failed call leaves the structure as it was", () => {
    const bytes = "0c0000000100000007000000";
    expect(raw(host.iommufd, 0x3b81, bytes)).toEqual([-95, bytes]);
  });

  test("says why", () => {
    call(0x3b80, "0800000063000000");
    expect(host.iommufd.lastReason).toBe("no object has id 99");
  });
});

describe("IOAS", () => {
  const mapped = () => {
    const made = nestedHost();
    made.host.client.map(made.ioas, 0x4000_0000n, RAM_BYTES, RAM_VA);
    return made;
  };

  test.each<[string, bigint, bigint, bigint, string]>([
    ["over a mapping", 0x4000_1000n, PAGE, RAM_VA, "EEXIST"],
    ["in the MSI window", 0x0800_0000n, PAGE, RAM_VA, "EINVAL"],
    ["beyond the aperture", 1n << 44n, PAGE, RAM_VA, "EINVAL"],
    ["of unpinnable memory", 0x1_0000_0000n, PAGE, 0x1000n, "EFAULT"],
    ["of nothing", 0x1_0000_0000n, 0n, RAM_VA, "EINVAL"],
    ["not aligned", 0x1_0000_0100n, PAGE, RAM_VA, "EINVAL"],
    ["at all ones", (1n << 64n) - 1n, PAGE, RAM_VA, "EOVERFLOW"],
    ["that fits", 0x1_0000_0000n, PAGE, RAM_VA, "ok"],
  ])("a map %s", (_, iova, bytes, va, errno) => {
    const { host, ioas } = mapped();
    expect(errnoOf(() => host.client.map(ioas, iova, bytes, va))).toBe(errno);
  });

  test.each<[string, bigint, bigint, string]>([
    ["of nothing mapped", 0x9000_0000n, PAGE, "ENOENT"],
    ["that cuts a mapping", 0x4000_0000n, PAGE, "ENOENT"],
    ["of no bytes", 0x4000_0000n, 0n, "EINVAL"],
    ["of the whole mapping", 0x4000_0000n, RAM_BYTES, "ok"],
    ["of everything", 0n, (1n << 64n) - 1n, "ok"],
  ])("an unmap %s", (_, iova, bytes, errno) => {
    const { host, ioas } = mapped();
    expect(errnoOf(() => host.client.unmap(ioas, iova, bytes))).toBe(errno);
  });

  test("a mapping stands in the nest parent's stage 2, and leaves it invalidated", () => {
    const { host, ioas, parent } = mapped();
    const { host: domain } = host.iommufd.objects.get<HwptPaging>(parent, "hwpt-paging");
    const leaf = () => (domain as HostPagingDomain).table.lookup(0x4000_0000n).descriptor;
    // Block of 2 MiB at the pages' host address: AF, ISH, read-write, write-back.
    expect(leaf()).toBe(RAM_PA | 0x7fdn);
    host.takeCommands();
    expect(host.client.unmap(ioas, 0x4000_0000n, RAM_BYTES)).toBe(RAM_BYTES);
    expect(leaf()).toBe(0n);
    expect(host.takeCommands()).toEqual([
      "28000000010000000000000000000000",
      "10000000010000000000000000000000",
      "4620c00f000000000000000000000000",
    ]);
  });

  test("a page table made later sees what is mapped; a hole of the process stops it", () => {
    const host = new Host();
    const device = host.iommufd.bind(host.device("0000:00:05.0", 0x28));
    const ioas = host.client.allocIoas();
    host.client.map(ioas, 0n, PAGE, 0x1000n);
    expect(errnoOf(() => host.client.allocPaging(device.id, ioas, 1))).toBe("EFAULT");
    host.client.unmap(ioas, 0n, PAGE);
    expect(errnoOf(() => host.client.allocPaging(device.id, ioas, 1))).toBe("ok");
  });

  test("a mapping inside the MSI window keeps devices away", () => {
    const host = new Host();
    const device = host.iommufd.bind(host.device("0000:00:05.0", 0x28));
    const ioas = host.client.allocIoas();
    host.client.map(ioas, 0x0800_0000n, PAGE, RAM_VA);
    const parent = host.client.allocPaging(device.id, ioas, 1);
    expect(errnoOf(() => host.iommufd.attach(device, parent))).toBe("EADDRINUSE");
    expect(device.hwpt).toBeUndefined();
  });
});

describe("destroying", () => {
  test("answers EBUSY while something refers to the object", () => {
    const { host, device, ioas, parent, viommu } = nestedHost();
    const { client } = host;
    const nested = client.allocNested(device.id, viommu, [9n, 0n]);
    const queue = client.allocVeventq(viommu, 1, 4);
    const busy = [device.id, ioas, parent, viommu, queue.id];
    expect(busy.map((id) => errnoOf(() => client.destroy(id)))).toEqual(busy.map(() => "EBUSY"));
    host.iommufd.attach(device, nested);
    expect(errnoOf(() => client.destroy(nested))).toBe("EBUSY");
    host.iommufd.attach(device, parent);
    host.iommufd.closeFile(queue.fd);
    const order = [queue.id, nested, viommu];
    expect(order.map((id) => errnoOf(() => client.destroy(id)))).toEqual(order.map(() => "ok"));
    expect(errnoOf(() => client.destroy(viommu))).toBe("ENOENT");
  });

  test("a page table that the kernel made goes with its last device", () => {
    const host = new Host();
    const devices = [0x28, 0x20].map((sid) =>
      host.iommufd.bind(host.device(`0000:00:${sid}`, sid)),
    );
    const ioas = host.client.allocIoas();
    const ids = devices.map((d) => host.iommufd.attach(d, ioas));
    expect(ids[0]).toBe(ids[1]);
    host.iommufd.detach(devices[0]);
    expect(errnoOf(() => host.client.destroy(ids[0]))).toBe("EBUSY");
    host.iommufd.detach(devices[1]);
    expect(errnoOf(() => host.client.destroy(ids[0]))).toBe("ENOENT");
  });
});

describe("HWPT_ALLOC", () => {
  const other = new Host();
  const cases: [string, (h: ReturnType<typeof nestedHost>) => unknown, string][] = [
    ["an unknown device", (h) => h.host.client.allocPaging(99, h.ioas, 1), "ENOENT"],
    ["an unknown parent", (h) => h.host.client.allocPaging(h.device.id, 99, 1), "EINVAL"],
    ["a device as parent", (h) => h.host.client.allocPaging(h.device.id, 1, 1), "EINVAL"],
    ["dirty tracking", (h) => h.host.client.allocPaging(h.device.id, h.ioas, 2), "EOPNOTSUPP"],
    ["an unknown flag", (h) => h.host.client.allocPaging(h.device.id, h.ioas, 16), "EOPNOTSUPP"],
    ["a nest parent with PASIDs", (h) => h.host.client.allocPaging(h.device.id, h.ioas, 9), "ok"],
    [
      "a nested under an HWPT",
      (h) => h.host.client.allocNested(1, h.parent, [9n, 0n]),
      "EOPNOTSUPP",
    ],
    ["a nested under a vIOMMU", (h) => h.host.client.allocNested(1, h.viommu, [9n, 0n]), "ok"],
    ["a nested without data", (h) => h.host.client.allocPaging(1, h.viommu, 0), "EOPNOTSUPP"],
    [
      "a device of another SMMU",
      (h) => {
        const far = h.host.iommufd.bind({ ...other.device("0001:00:00.0", 0), smmu: other.driver });
        return h.host.client.allocNested(far.id, h.viommu, [9n, 0n]);
      },
      "EINVAL",
    ],
  ];

  test.each(cases)("%s", (_, call, errno) => {
    const made = nestedHost();
    expect(errnoOf(() => call(made))).toBe(errno);
  });

  test("a host that cannot nest has no nest parent", () => {
    const info = { flags: 0, idr: [0xd44101a, 0x2730010, 0, 0x1414, 0, 0x74], iidr: 0, aidr: 1 };
    const host = new Host({ info });
    const device = host.iommufd.bind(host.device("0000:00:05.0", 0x28));
    expect(errnoOf(() => host.client.allocPaging(device.id, host.client.allocIoas(), 1))).toBe(
      "EOPNOTSUPP",
    );
  });
});

describe("vSTE", () => {
  const s1 = 0x4086100bn;
  test.each<[string, bigint, bigint, string]>([
    ["translate", s1, 0xd6n, "ok"],
    ["V=0 whatever else", 0xffff_ffff_ffff_fffen, ~0n & 0xffffn, "ok"],
    ["EATS 1", s1, 0xd6n | (1n << 28n), "ok"],
    ["EATS 2", s1, 0xd6n | (2n << 28n), "EIO"],
    ["EATS 3", s1, 3n << 28n, "EIO"],
    ["Config 6", 0xdn, 0n, "EIO"],
    ["Config 7", 0xfn, 0n, "EIO"],
    ["Config 1", 0x3n, 0n, "EIO"],
    ["S1ContextPtr bit 51", s1 | (1n << 51n), 0xd6n, "ok"],
    ["S1ContextPtr bit 52", s1 | (1n << 52n), 0xd6n, "EIO"],
    ["MEV", s1, 0xd6n | (1n << 19n), "EIO"],
    ["STRW", s1, 0xd6n | (1n << 30n), "EIO"],
    ["S1STALLD", s1, 0xd6n | (1n << 27n), "ok"],
    ["S1CDMax and S1Fmt", s1 | (10n << 59n) | (1n << 4n), 0xd6n, "ok"],
    ["a reserved bit", s1 | (1n << 57n), 0xd6n, "EIO"],
  ])("%s", (_, word0, word1, errno) => {
    const { host, device, viommu } = nestedHost();
    expect(errnoOf(() => host.client.allocNested(device.id, viommu, [word0, word1]))).toBe(errno);
  });
});

describe("vIOMMU, vDEVICE and attachment", () => {
  test("what a vIOMMU needs", () => {
    const { host, device, ioas, parent } = nestedHost();
    const plain = host.client.allocPaging(device.id, ioas, 0);
    expect(errnoOf(() => host.client.allocViommu(device.id, plain))).toBe("EINVAL");
    expect(errnoOf(() => host.client.allocViommu(device.id, ioas))).toBe("ENOENT");
    expect(errnoOf(() => host.client.allocViommu(99, parent))).toBe("ENOENT");
    expect(errnoOf(() => host.client.allocCmdqvViommu(device.id, parent))).toBe("EOPNOTSUPP");
    const incoherent = host.iommufd.bind(host.device("0000:00:07.0", 0x38, { canwbs: false }));
    expect(errnoOf(() => host.client.allocViommu(incoherent.id, parent))).toBe("EOPNOTSUPP");
  });

  test("one vDEVICE per device and per guest StreamID, one stream", () => {
    const { host, device, viommu } = nestedHost();
    const { client, iommufd } = host;
    const two = iommufd.bind(host.device("0000:00:06.0", 0x30));
    const alias = iommufd.bind(host.device("0000:00:07.0", 0x38, { streams: [0x38, 0x39] }));
    expect(errnoOf(() => client.allocVdevice(99, device.id, 8n))).toBe("ENOENT");
    expect(errnoOf(() => client.allocVdevice(viommu, 99, 8n))).toBe("ENOENT");
    expect(errnoOf(() => client.allocVdevice(viommu, device.id, 8n))).toBe("ok");
    expect(errnoOf(() => client.allocVdevice(viommu, device.id, 9n))).toBe("EEXIST");
    expect(errnoOf(() => client.allocVdevice(viommu, two.id, 8n))).toBe("EEXIST");
    expect(errnoOf(() => client.allocVdevice(viommu, alias.id, 10n))).toBe("EOPNOTSUPP");
    expect(two.vdevice).toBeUndefined();
  });

  test("a translating vSTE needs a vDEVICE; abort and bypass do not", () => {
    const { host, device, viommu } = nestedHost();
    const { client, iommufd } = host;
    const [abort, bypass, s1] = [1n, 9n, 0x4086100bn].map((w) =>
      client.allocNested(device.id, viommu, [w, 0n]),
    );
    expect(errnoOf(() => iommufd.attach(device, s1))).toBe("ENOENT");
    expect(errnoOf(() => iommufd.attach(device, abort))).toBe("ok");
    expect(errnoOf(() => iommufd.attach(device, bypass))).toBe("ok");
    client.allocVdevice(viommu, device.id, 8n);
    expect(errnoOf(() => iommufd.attach(device, s1))).toBe("ok");
    expect(errnoOf(() => iommufd.attach(device, viommu))).toBe("EINVAL");
    expect(errnoOf(() => iommufd.attach(device, 99))).toBe("ENOENT");
  });

  test("a device of another SMMU cannot attach; nor one whose PASIDs the host uses", () => {
    const { host, device, ioas, viommu } = nestedHost();
    const { client, iommufd } = host;
    const bypass = client.allocNested(device.id, viommu, [9n, 0n]);
    const far = new Host();
    const there = iommufd.bind({ ...far.device("0001:00:00.0", 0), smmu: far.driver });
    expect(errnoOf(() => iommufd.attach(there, bypass))).toBe("EINVAL");
    expect(errnoOf(() => client.allocVdevice(viommu, there.id, 8n))).toBe("EINVAL");
    const pasid = iommufd.bind(host.device("0000:00:06.0", 0x30, { pasidBits: 4 }));
    const table = client.allocPaging(pasid.id, ioas, 8);
    iommufd.attach(pasid, table);
    iommufd.attach(pasid, table, 3);
    expect(errnoOf(() => iommufd.attach(pasid, bypass))).toBe("EINVAL");
    expect(host.driver.ssidsInUse(pasid.host)).toBe(true);
    pasid.detachPasid(3);
    // The host kernel's own user of a PASID: iommufd does not know it, the driver does.
    const { host: domain } = iommufd.objects.get<HwptPaging>(table, "hwpt-paging");
    host.driver.attachPasid(pasid.host, 5, domain);
    expect(errnoOf(() => iommufd.attach(pasid, bypass))).toBe("EBUSY");
    host.driver.attachPasid(pasid.host, 5, undefined);
    expect(errnoOf(() => iommufd.attach(pasid, bypass))).toBe("ok");
  });
});
