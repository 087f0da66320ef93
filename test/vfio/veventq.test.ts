// Event queues and hardware queues of a vIOMMU: sequence, lost events, order, errnos.
import { expect, test } from "vitest";
import { EVENT } from "../../src/spec/event.ts";
import { bytesOf, packFields, setField, wordsOf } from "../../src/spec/word.ts";
import { KernelError } from "../../src/vfio/errno.ts";
import type { Veventq } from "../../src/vfio/iommufd/veventq.ts";
import { Host, hex, nestedHost, PAGE, RAM_PA, RAM_VA, unhex } from "./host.ts";

const S1 = [0x4086100bn, 0xd6n] as const;
const CMDQV = { version: 1, log2vcmdqs: 1, log2vsids: 4 };

function codeOf(call: () => unknown): string {
  try {
    call();
    return "ok";
  } catch (error) {
    if (error instanceof KernelError) return error.code;
    throw error;
  }
}

function reporting() {
  const made = nestedHost();
  const { host, device, viommu } = made;
  const queue = host.client.allocVeventq(viommu, 1, 2);
  host.client.allocVdevice(viommu, device.id, 0x18n);
  host.iommufd.attach(device, host.client.allocNested(device.id, viommu, S1));
  const file = host.iommufd.files.get(queue.fd) as Veventq;
  return { ...made, file };
}

/** The physical record of the recorded run's first fault. */
const RECORDED = "1000000028000000000000000802000000100000000000000000000000000000";

test("a fault reaches the guest with its StreamID replaced and everything else kept", () => {
  const { host, file } = reporting();
  expect(host.driver.handleEvent(unhex(RECORDED)).vsid).toBe(0x18n);
  expect(hex(file.read(100))).toBe(`0000000000000000${RECORDED.replace("28", "18")}`);
  expect(file.read(100)).toHaveLength(0);
});

test.each<[string, (words: bigint[]) => void, string]>([
  ["a stage 2 fault", (w) => setField(EVENT, w, "S2", 1), "stage 2 belongs to the host"],
  ["a stall", (w) => setField(EVENT, w, "Stall", 1), "stalled transaction"],
  [
    "F_WALK_EABT",
    (w) => setField(EVENT, w, "EventID", 0x0b),
    "the host driver does not forward this event",
  ],
  [
    "F_STE_FETCH",
    (w) => setField(EVENT, w, "EventID", 0x03),
    "the host driver does not forward this event",
  ],
  [
    "another device",
    (w) => setField(EVENT, w, "StreamID", 0x99),
    "the device is not attached under a guest StreamID",
  ],
])("the guest does not see %s", (_, change, reason) => {
  const { host, file } = reporting();
  const words = wordsOf(unhex(RECORDED));
  change(words);
  expect(host.driver.handleEvent(bytesOf(words)).reason).toBe(reason);
  expect(file.readable).toBe(false);
});

test("every event that may be forwarded is", () => {
  const { host, file } = reporting();
  for (const id of [0x04, 0x06, 0x08, 0x0a, 0x10, 0x11, 0x12, 0x13]) {
    const words = packFields(EVENT, { EventID: id, StreamID: 0x28 });
    expect(host.driver.handleEvent(bytesOf(words)).vsid).toBe(0x18n);
    expect(file.read(40)).toHaveLength(40);
  }
});

test("a bypass that was attached before the vDEVICE existed reports nothing", () => {
  const { host, device, viommu } = nestedHost();
  const bypass = host.client.allocNested(device.id, viommu, [9n, 0n]);
  host.iommufd.attach(device, bypass);
  host.client.allocVdevice(viommu, device.id, 0x18n);
  host.iommufd.attach(device, bypass);
  expect(host.driver.handleEvent(unhex(RECORDED)).vsid).toBeUndefined();
});

test("more events than fit leave one marker at the tail: the last one lost", () => {
  const { host, file } = reporting();
  for (let i = 0; i < 5; i++) host.driver.handleEvent(unhex(RECORDED));
  const bytes = file.read(1000);
  expect(bytes).toHaveLength(40 + 40 + 8);
  const view = new DataView(bytes.buffer);
  expect([0, 4, 40, 44, 80, 84].map((at) => view.getUint32(at, true))).toEqual([0, 0, 0, 1, 1, 4]);
  host.driver.handleEvent(unhex(RECORDED));
  expect(hex(file.read(8))).toBe("");
  expect(new DataView(file.read(40).buffer).getUint32(4, true)).toBe(5);
});

test("a marker goes when a later event takes its place", () => {
  const { host, file } = reporting();
  for (let i = 0; i < 3; i++) host.driver.handleEvent(unhex(RECORDED));
  file.read(40);
  host.driver.handleEvent(unhex(RECORDED));
  const bytes = file.read(1000);
  expect(bytes).toHaveLength(80);
  expect(new DataView(bytes.buffer).getUint32(44, true)).toBe(3);
});

test("what VEVENTQ_ALLOC refuses", () => {
  const { host, viommu } = nestedHost();
  const alloc = (v: number, type: number, depth: number) =>
    codeOf(() => host.client.allocVeventq(v, type, depth));
  expect(alloc(viommu, 0, 4)).toBe("EOPNOTSUPP");
  expect(alloc(viommu, 1, 0)).toBe("EINVAL");
  expect(alloc(viommu, 1, 2 ** 19 + 1)).toBe("EINVAL");
  expect(alloc(99, 1, 4)).toBe("ENOENT");
  expect(alloc(viommu, 1, 2 ** 19)).toBe("ok");
  expect(alloc(viommu, 1, 4)).toBe("EEXIST");
});

function cmdqvHost() {
  const host = new Host({ cmdqv: CMDQV });
  const device = host.iommufd.bind(host.device("0000:00:05.0", 0x28));
  const ioas = host.client.allocIoas();
  const parent = host.client.allocPaging(device.id, ioas, 1);
  host.iommufd.attach(device, parent);
  const viommu = host.client.allocCmdqvViommu(device.id, parent).id;
  host.client.map(ioas, 0x4000_0000n, PAGE * 4n, RAM_VA);
  const alloc = (index: number, iova: bigint, bytes: bigint) =>
    host.client.allocHwQueue(viommu, 1, index, iova, bytes);
  return { host, device, ioas, viommu, alloc };
}

test("hardware queues are made upwards and destroyed downwards; their pages stay", () => {
  const { host, ioas, alloc } = cmdqvHost();
  expect(codeOf(() => alloc(1, 0x4000_1000n, PAGE))).toBe("EIO");
  const first = alloc(0, 0x4000_0000n, PAGE);
  const second = alloc(1, 0x4000_1000n, PAGE);
  // Each queue also holds the kernel's own handle on the address space.
  expect(second).toBe(first + 2);
  expect(host.vintf.started).toEqual([0, 1]);
  expect(codeOf(() => host.client.destroy(first))).toBe("EBUSY");
  expect(codeOf(() => host.client.unmap(ioas, 0x4000_0000n, PAGE * 4n))).toBe("EBUSY");
  host.client.destroy(second);
  host.client.destroy(first);
  expect(host.vintf.started).toEqual([]);
  expect(codeOf(() => host.client.unmap(ioas, 0x4000_0000n, PAGE * 4n))).toBe("ok");
});

test.each<[string, number, bigint, bigint, string]>([
  ["no bytes", 0, 0x4000_0000n, 0n, "EINVAL"],
  ["a length that is no power of two", 0, 0x4000_0000n, 48n, "EINVAL"],
  ["less than two commands", 0, 0x4000_0000n, 16n, "EINVAL"],
  ["more than the hardware has", 0, 0x4000_0000n, PAGE * 2n, "EINVAL"],
  ["a base that is not aligned", 0, 0x4000_0800n, PAGE, "EINVAL"],
  ["an index that is too large", 2, 0x4000_0000n, PAGE, "EINVAL"],
  ["memory that is not mapped", 0, 0x5000_0000n, PAGE, "ENOENT"],
  ["a range that wraps", 0, (1n << 64n) - 16n, 32n, "EOVERFLOW"],
  ["a good queue", 0, 0x4000_0000n, PAGE, "ok"],
])("HW_QUEUE_ALLOC with %s", (_, index, iova, bytes, code) => {
  const { host, alloc } = cmdqvHost();
  const before = host.iommufd.objects.list().length;
  expect(codeOf(() => alloc(index, iova, bytes))).toBe(code);
  expect(host.iommufd.objects.list().length).toBe(code === "ok" ? before + 2 : before);
});

test("a queue that exists, a queue over scattered pages, a plain vIOMMU", () => {
  const { host, ioas, alloc } = cmdqvHost();
  alloc(0, 0x4000_0000n, PAGE);
  expect(codeOf(() => alloc(0, 0x4000_1000n, PAGE))).toBe("EEXIST");
  host.memory.mapPages(0x1000n, PAGE, RAM_PA);
  host.memory.mapPages(0x2000n, PAGE, RAM_PA + 0x10000n);
  host.client.map(ioas, 0x5000_0000n, PAGE * 2n, 0x1000n);
  expect(codeOf(() => alloc(1, 0x5000_0000n, PAGE * 2n))).toBe("EFAULT");
  const plain = nestedHost();
  expect(codeOf(() => plain.host.client.allocHwQueue(plain.viommu, 1, 0, 0x4000_0000n, PAGE))).toBe(
    "EOPNOTSUPP",
  );
});

test("a CMDQV vIOMMU names the page to map and takes StreamIDs of 20 bits", () => {
  const { host, device, viommu } = cmdqvHost();
  expect(host.client.cmdqvInfo(device.id)).toMatchObject(CMDQV);
  expect(codeOf(() => host.client.allocVdevice(viommu, device.id, 1n << 20n))).toBe("EINVAL");
  const vdevice = host.client.allocVdevice(viommu, device.id, 8n);
  expect([...host.vintf.slots.values()]).toEqual([{ vsid: 8n, sid: 0x28 }]);
  host.client.destroy(vdevice);
  expect(host.vintf.slots.size).toBe(0);
  host.client.destroy(viommu);
  expect(host.vintf.released).toBe(true);
});

test("each doorbell page has one IOVA for the whole fd, and is mapped where it is needed", () => {
  const { host, device, ioas } = nestedHost();
  const { iommufd, client } = host;
  expect(iommufd.msiIova(device, 0x8090040n)).toBe(0x8000040n);
  const other = iommufd.bind(host.device("0000:00:06.0", 0x30));
  iommufd.attach(other, client.allocPaging(other.id, ioas, 1));
  expect(iommufd.msiIova(other, 0x90a0040n)).toBe(0x8001040n);
  expect(iommufd.msiIova(other, 0x8090044n)).toBe(0x8000044n);
  for (let page = 2; page < 64; page++) iommufd.msiIova(device, BigInt(page) << 20n);
  expect(codeOf(() => iommufd.msiIova(device, 0x5000_0000n))).toBe("EOVERFLOW");
});
