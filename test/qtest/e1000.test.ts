// The e1000 of the front end: its registers, what its descriptors make it read and store, and that
// no ring holds it up.
import { describe, expect, test } from "vitest";
import { parseArguments } from "../../src/qtest/arguments.ts";
import { PacketAssembler } from "../../src/qtest/e1000-packet.ts";
import { QtestMachine } from "../../src/qtest/machine.ts";
import { answerLine } from "../../src/qtest/protocol.ts";
import { put } from "../qemu/tables.ts";

const BAR = 0x10000000;
const OTHER_BAR = 0x10020000;
const CONFIG = 0x4010000000 + (0x20 << 12);
const RING = 0x40001000;
const REG = { icr: 0xc0, ics: 0xc8, ims: 0xd0, imc: 0xd8, tctl: 0x400 };
const TX = { tdbal: 0x3800, tdbah: 0x3804, tdlen: 0x3808, tdh: 0x3810, tdt: 0x3818 };

/** Two e1000s with their BARs in place, bus mastering on; no SMMU unless told. */
async function machine({ smmu = false, master = true } = {}) {
  const board = ["-machine", `virt${smmu ? ",iommu=smmuv3" : ""}`, "-m", "64"];
  const devices = ["-device", "e1000,addr=04.0,romfile=,multifunction=on"];
  devices.push("-device", "e1000,addr=04.1,romfile=");
  const built = await QtestMachine.create(parseArguments([...board, ...devices], {}));
  const ask = (line: string) => answerLine(built, line);
  const number = (line: string) => Number(ask(line).slice(3));
  const read = (offset: number, bar = BAR) => number(`readl ${bar + offset}`);
  const write = (offset: number, value: number, bar = BAR) =>
    ask(`writel ${bar + offset} ${value}`);
  for (const [fn, bar] of [BAR, OTHER_BAR].entries()) {
    ask(`writel ${CONFIG + fn * 4096 + 0x10} ${bar}`);
    ask(`writew ${CONFIG + fn * 4096 + 4} ${master ? 6 : 2}`);
  }
  const ring = (at: number, bytes: number, head: number, tail: number) => {
    write(TX.tdbal, at);
    write(TX.tdlen, bytes);
    write(TX.tdh, head);
    write(TX.tdt, head);
    write(REG.tctl, 2);
    write(TX.tdt, tail);
  };
  const descriptor = (index: number, address: number, low: number, high = 0) => {
    ask(`writeq ${RING + index * 16} ${address}`);
    ask(`writel ${RING + index * 16 + 8} ${low}`);
    ask(`writel ${RING + index * 16 + 12} ${high}`);
  };
  return { built, ask, read, write, ring, descriptor };
}

const RS = 0x08000000;
const RPS = 0x10000000;

describe("registers", () => {
  test("configuration space: an 82540EM with a memory BAR and an I/O BAR", async () => {
    const { ask } = await machine();
    expect(ask(`readl ${CONFIG}`)).toBe("OK 0x00000000100e8086");
    expect(ask(`readl ${CONFIG + 8}`)).toBe("OK 0x0000000002000003");
    for (const bar of [0x10, 0x14]) ask(`writel ${CONFIG + bar} 0xffffffff`);
    expect(ask(`readl ${CONFIG + 0x10}`)).toBe("OK 0x00000000fffe0000");
    expect(ask(`readl ${CONFIG + 0x14}`)).toBe("OK 0x00000000ffffffc1");
    expect(ask(`readl ${CONFIG + 0x3c}`)).toBe("OK 0x0000000000000100");
  });

  test("keep the bits that they have", async () => {
    const { ask, read, write, built } = await machine();
    expect([read(0), read(8)]).toEqual([0x140240, 0x80080783]);
    for (const offset of [0, 8, ...Object.values(TX)]) write(offset, 0xffffffff);
    expect([read(0), read(8)]).toEqual([0xfbffffff, 0x80080783]);
    expect(Object.values(TX).map((o) => read(o))).toEqual([
      0xffffffff, 0xffffffff, 0xfff80, 0xffff, 0xffff,
    ]);
    built.reset();
    ask(`writel ${CONFIG + 0x10} ${BAR}`);
    ask(`writew ${CONFIG + 4} 2`);
    expect([0, 8, ...Object.values(TX)].map((o) => read(o))).toEqual([
      ...[0x140240, 0x80080783, 0, 0, 0],
      ...[0, 0],
    ]);
  });

  test("causes are set, cleared by writing and by reading", async () => {
    const { read, write } = await machine();
    write(REG.ics, 0x105);
    expect([read(REG.ics), read(REG.icr), read(REG.icr)]).toEqual([0x105, 0x105, 0]);
    write(REG.ics, 0xff);
    write(REG.icr, 0xf0);
    expect(read(REG.icr)).toBe(0xf);
    write(REG.ims, 0x33);
    write(REG.imc, 0x11);
    expect([read(REG.ims), read(REG.imc)]).toEqual([0x22, 0]);
  });

  test("a narrow access stands for the whole register, a wide one for two", async () => {
    const { ask, read, write } = await machine();
    write(TX.tdbal, 0x12345678);
    ask(`writeb ${BAR + TX.tdbal + 1} 0xab`);
    expect(read(TX.tdbal)).toBe(0xab);
    expect(ask(`readw ${BAR + TX.tdbal + 2}`)).toBe("OK 0x00000000000000ab");
    ask(`writeq ${BAR + TX.tdbal} 0x1122334455667788`);
    expect(ask(`readq ${BAR + TX.tdbal}`)).toBe("OK 0x1122334455667788");
    expect(ask(`readb ${BAR + TX.tdbah}`)).toBe("OK 0x0000000000000044");
  });
});

describe("descriptors", () => {
  test("the status comes back where it was asked for, with nothing wrong", async () => {
    const { ask, ring, read, descriptor } = await machine();
    descriptor(0, 0x40002000, RS | 64, 0xabcd12fe);
    descriptor(1, 0x40002000, RPS | 64, 0);
    descriptor(2, 0x40002000, 64, 0);
    ring(RING, 128, 0, 3);
    const statuses = [0, 1, 2].map((i) => ask(`readl ${RING + i * 16 + 12}`));
    expect(statuses).toEqual([
      "OK 0x00000000abcd12f1",
      "OK 0x0000000000000001",
      "OK 0x0000000000000000",
    ]);
    expect([read(TX.tdh), read(REG.icr)]).toEqual([3, 3]);
  });

  test("nothing happens while the transmitter is off; switching it on starts it", async () => {
    const { ask, read, write, descriptor } = await machine();
    descriptor(0, 0, RS);
    write(TX.tdbal, RING);
    write(TX.tdlen, 128);
    write(TX.tdt, 1);
    expect([read(TX.tdh), read(REG.icr)]).toEqual([0, 0]);
    write(REG.tctl, 2);
    expect([read(TX.tdh), read(REG.icr)]).toEqual([1, 3]);
    expect(ask(`readl ${RING + 12}`)).toBe("OK 0x0000000000000001");
  });

  test("without bus mastering it sees zeros and stores nothing", async () => {
    const { ask, read, ring, descriptor } = await machine({ master: false });
    descriptor(0, 0, RS);
    ring(RING, 128, 0, 1);
    expect(ask(`readl ${RING + 12}`)).toBe("OK 0x0000000000000000");
    expect([read(TX.tdh), read(REG.icr)]).toEqual([1, 2]);
  });
});

describe("rings", () => {
  test.each([
    ["wrap", 128, 6, 1, 1],
    ["of no length take one descriptor", 0, 0, 9, 0],
    ["whose head is outside take one descriptor", 128, 20, 3, 0],
    ["whose tail is outside end where they began", 128, 2, 0xffff, 2],
    ["with head and tail at one place do nothing", 128, 4, 4, 4],
  ])("%s", async (_name, bytes, head, tail, end) => {
    const { read, ring } = await machine();
    ring(RING, bytes, head, tail);
    expect(read(TX.tdh)).toBe(end);
  });

  test("that ask for too much stop, and go on with the next write", async () => {
    const { ask, read, write, ring } = await machine();
    for (let i = 0; i < 64; i++) {
      ask(`writeq ${RING + i * 16} 0x100000000000`);
      ask(`writel ${RING + i * 16 + 8} ${0x0100ffff}`);
    }
    ring(RING, 1024, 0, 63);
    const seen = [read(TX.tdh)];
    while (read(TX.tdh) !== 63) {
      write(TX.tdt, 63);
      seen.push(read(TX.tdh));
    }
    expect(seen[0]).toBeGreaterThan(8);
    expect(seen.length).toBeGreaterThan(2);
  });

  test("in another's registers have the effects of reading them, in its own none", async () => {
    const { read, write, ring } = await machine();
    for (const bar of [BAR, OTHER_BAR]) write(REG.ics, 0x100, bar);
    ring(BAR + REG.icr, 128, 0, 1);
    expect(read(REG.icr)).toBe(0x102);
    ring(OTHER_BAR + REG.icr, 128, 0, 1);
    expect(read(REG.icr, OTHER_BAR)).toBe(0);
  });
});

describe("a packet", () => {
  const legacy = (address: bigint, bytes: number, eop: boolean) => {
    const words = [address, 0n];
    put(words, 79, 64, bytes);
    put(words, 88, 88, eop ? 1 : 0);
    return words;
  };
  const data = (address: bigint, bytes: number, { eop = false, tse = true } = {}) => {
    const words = legacy(address, bytes, eop);
    put(words, 84, 84, 1);
    put(words, 90, 90, tse ? 1 : 0);
    put(words, 93, 93, 1);
    return words;
  };
  const context = (header: number, payload: number, tse = true) => {
    const words = [0n, 0n];
    put(words, 90, 90, tse ? 1 : 0);
    put(words, 93, 93, 1);
    put(words, 111, 104, header);
    put(words, 127, 112, payload);
    return words;
  };
  /** Reads that these descriptors make. */
  const reads = (...descriptors: bigint[][]) => {
    const seen: [bigint, number][] = [];
    const packet = new PacketAssembler((iova, bytes) => void seen.push([iova, bytes]));
    for (const words of descriptors) packet.take(words);
    return seen;
  };

  test("takes each legacy buffer whole, and what fits in all", () => {
    expect(reads(legacy(0x1000n, 64, false), legacy(0x2000n, 0, true))).toEqual([[0x1000n, 64]]);
    const long = [legacy(1n, 0xffff, false), legacy(2n, 8, false), legacy(3n, 8, true)];
    expect(reads(...long).map(([, bytes]) => bytes)).toEqual([0xffff, 1, 8]);
    const ended = [legacy(1n, 0xffff, true), legacy(2n, 8, true)];
    expect(reads(...ended).map(([, bytes]) => bytes)).toEqual([0xffff, 8]);
  });

  test("is cut into segments, each of which has the header already", () => {
    const seen = reads(context(10, 20), data(0x1000n, 75, { eop: true }));
    expect(seen).toEqual([
      [0x1000n, 30],
      [0x101en, 20],
      [0x1032n, 20],
      [0x1046n, 5],
    ]);
  });

  test("is not cut without a context for it, nor with segments of nothing", () => {
    expect(reads(data(0x1000n, 75, { eop: true }))).toEqual([]);
    expect(reads(context(10, 20, false), data(0x1000n, 75))).toEqual([]);
    expect(reads(context(10, 0), data(0x1000n, 75))).toEqual([[0x1000n, 10]]);
    expect(reads(context(10, 20), data(0x1000n, 75, { tse: false }))).toEqual([[0x1000n, 75]]);
  });

  test("wraps at the end of the address space", () => {
    const seen = reads(context(0, 8), data(2n ** 64n - 8n, 16));
    expect(seen).toEqual([
      [2n ** 64n - 8n, 8],
      [0n, 8],
    ]);
  });
});
