// The line protocol, the command line and the devices, without sockets.
import { describe, expect, test } from "vitest";
import { parseArguments } from "../../src/qtest/arguments.ts";
import { QtestMachine } from "../../src/qtest/machine.ts";
import { answerLine } from "../../src/qtest/protocol.ts";
import { answerQmp } from "../../src/qtest/qmp.ts";

const BOARD = ["-machine", "virt,iommu=smmuv3", "-m", "64"];

async function machine(...more: string[]) {
  const built = await QtestMachine.create(parseArguments([...BOARD, ...more], {}));
  return { built, ask: (line: string) => answerLine(built, line) };
}

describe("requests", () => {
  test("reads and writes of every size, little-endian", async () => {
    const { ask } = await machine();
    expect(ask("writeq 0x40000000 0x1122334455667788")).toBe("OK");
    expect(ask("readb 0x40000000")).toBe("OK 0x0000000000000088");
    expect(ask("readw 0x40000000")).toBe("OK 0x0000000000007788");
    expect(ask("readl 0x40000004")).toBe("OK 0x0000000011223344");
    expect(ask("read 0x40000001 0x3")).toBe("OK 0x776655");
    expect(ask("b64read 0x40000000 8")).toBe("OK iHdmVUQzIhE=");
    expect(ask("b64write 0x40000100 4 AQIDBA==")).toBe("OK");
    expect(ask("read 0x400000fe 0x8")).toBe("OK 0x0000010203040000");
    expect(ask("memset 0x40000100 2 0x5a")).toBe("OK");
    expect(ask("write 0x40000102 0x2 0xff")).toBe("OK");
    expect(ask("readl 0x40000100")).toBe("OK 0x0000000000ff5a5a");
  });

  test("nothing there reads as zero, the PCI windows as ones", async () => {
    const { ask } = await machine();
    expect(ask("readq 0x70000000")).toBe("OK 0x0000000000000000");
    expect(ask("writeq 0x70000000 0x1")).toBe("OK");
    expect(ask("readl 0x20000000")).toBe("OK 0x00000000ffffffff");
    expect(ask("readq 0xff00000000")).toBe("OK 0xffffffffffffffff");
    expect(ask("read 0x43fffffc 0x8")).toBe("OK 0x0000000000000000");
  });

  test("bad requests are refused in words and leave the machine alone", async () => {
    const { ask } = await machine();
    expect(ask("foo bar")).toBe("FAIL Unknown command 'foo'");
    expect(ask("read 0x40000000 0")).toMatch(/^FAIL length/);
    expect(ask("read 0x40000000 0xffffffffffff")).toMatch(/^FAIL length/);
    expect(ask("readl zzz")).toMatch(/^FAIL not a number/);
    expect(ask("readl")).toMatch(/^FAIL not a number/);
    expect(ask("write 0x40000000 4 12345678")).toMatch(/^FAIL data/);
    expect(ask("toString")).toMatch(/^FAIL/);
    expect(ask("endianness")).toBe("OK little");
  });

  test("virtual time moves on request alone", async () => {
    const { ask } = await machine("-device", "edu,addr=03.0");
    expect(ask("clock_step 5")).toBe("OK 5");
    expect(ask("clock_set 100")).toBe("OK 100");
    expect(ask("clock_step")).toMatch(/^FAIL .*deadline/);
  });
});

describe("the command line", () => {
  test("both forms of the monitor, and options that mean nothing here", () => {
    const old = parseArguments(
      ["-chardev", "socket,path=/a,id=c", "-mon", "chardev=c,mode=control", "-S", "-cpu", "max"],
      {},
    );
    expect(old.qmp).toEqual(["/a"]);
    const fresh = parseArguments(
      ["-object", "monitor-qmp,id=m,chardev=c", "-chardev", "socket,path=/b,id=c"],
      {},
    );
    expect(fresh.qmp).toEqual(["/b"]);
    expect(parseArguments(["-qtest", "unix:/q.sock,server=off"], {}).qtest).toBe("/q.sock");
    expect(parseArguments(["-m", "1G"], {}).ramBytes).toBe(2 ** 30);
    expect(() => parseArguments(["-m", "lots"], {})).toThrow("not a size");
    expect(parseArguments([], { VSMMU_DISABLE: "1" }).disableSmmu).toBe(true);
  });

  test("devices that cannot be had are named", async () => {
    await expect(machine("-device", "e1000000")).rejects.toThrow("no such device");
    await expect(machine("-device", "edu,bus=rp9")).rejects.toThrow("bus rp9 is not there");
    await expect(machine("-device", "edu,addr=zz")).rejects.toThrow("not a slot");
    await expect(machine("-device", "arm-smmuv3,stage=5")).rejects.toThrow("stage=5");
  });
});

describe("the machine", () => {
  test("stages of a dynamic SMMU show in its IDR0", async () => {
    for (const [stage, idr0] of [
      ["1", "0d44101a"],
      ["2", "0d441019"],
      ["nested", "0d44101b"],
    ]) {
      const { ask } = await machine("-device", `arm-smmuv3,primary-bus=pcie.0,stage=${stage}`);
      expect(ask("readl 0x0c000000")).toBe(`OK 0x00000000${idr0}`);
    }
    expect((await machine()).ask("readl 0x09050000")).toBe("OK 0x000000000d44101b");
  });

  test("BARs size, decode and move; behind a root port too", async () => {
    const { ask, built } = await machine(
      ...["-device", "iommu-testdev,addr=01.0", "-device", "pcie-root-port,id=rp1,addr=02.0"],
      ...["-device", "iommu-testdev,bus=rp1,addr=00.0"],
    );
    expect(ask("readl 0x4010008000")).toBe("OK 0x0000000000051b36");
    ask("writel 0x4010008010 0xffffffff");
    expect(ask("readl 0x4010008010")).toBe("OK 0x00000000fffff000");
    ask("writel 0x4010008010 0x10000000");
    expect(ask("readl 0x10000010")).toBe("OK 0x00000000ffffffff");
    ask("writew 0x4010008004 0x6");
    expect(ask("readl 0x10000018")).toBe("OK 0x0000000000000002");
    expect(ask("readl 0x4010100000")).toBe("OK 0x00000000ffffffff");
    ask("writel 0x4010010018 0x00ff0100");
    expect(ask("readl 0x4010100000")).toBe("OK 0x0000000000051b36");
    built.reset();
    expect(ask("readl 0x4010100000")).toBe("OK 0x00000000ffffffff");
    expect(ask("readl 0x4010008010")).toBe("OK 0x0000000000000000");
  });

  test("iommu-testdev reports each way to fail", async () => {
    const { ask } = await machine("-device", "iommu-testdev,addr=01.0");
    ask("writel 0x4010008010 0x10000000");
    ask("writew 0x4010008004 0x6");
    const run = (gva: number, gpa: number, bytes: number, attributes = 0xa, arm = 1) => {
      const set = (offset: number, value: number) => ask(`writel ${0x10000000 + offset} ${value}`);
      for (const [offset, value] of [
        [0x04, gva],
        [0x0c, bytes],
        [0x18, attributes],
        [0x1c, gpa],
        [0x14, arm],
      ])
        set(offset, value);
      ask("readl 0x10000000");
      return ask("readl 0x10000010").slice(-8);
    };
    expect(run(0x40001000, 0x40001000, 8)).toBe("00000000");
    expect(ask("read 0x40001000 0x8")).toBe("OK 0x7856341278563412");
    expect(run(0x40001000, 0x40001000, 0)).toBe("dead0001");
    expect(run(0x70000000, 0x40001000, 4)).toBe("dead0002");
    expect(run(0x40001000, 0x70000000, 4)).toBe("dead0003");
    expect(run(0x40001000, 0x40002000, 4)).toBe("dead0004");
    expect(run(0x40001000, 0x40001000, 4, 0xa, 0)).toBe("dead0005");
    expect(run(0x40001000, 0x40001000, 4, 0x8)).toBe("dead0006");
  });

  test("edu copies both ways once its time has come", async () => {
    const { ask } = await machine("-device", "edu,addr=03.0,dma_mask=0xffffffffffffffff");
    ask("writel 0x4010018010 0x10400000");
    ask("writew 0x4010018004 0x6");
    ask("writeq 0x40001000 0xfeedfacecafebeef");
    const copy = (from: string, to: string, command: string) => {
      ask(`writeq 0x10400080 ${from}`);
      ask(`writeq 0x10400088 ${to}`);
      ask("writeq 0x10400090 8");
      ask(`writeq 0x10400098 ${command}`);
    };
    copy("0x40001000", "0x40000", "1");
    ask("clock_step 99999999");
    expect(ask("readq 0x10400098")).toBe("OK 0x0000000000000001");
    ask("clock_step 1");
    expect(ask("readq 0x10400098")).toBe("OK 0x0000000000000000");
    copy("0x40000", "0x40002000", "3");
    ask("clock_step");
    expect(ask("readq 0x40002000")).toBe("OK 0xfeedfacecafebeef");
    expect(ask("readl 0x10400000")).toBe("OK 0x00000000010000ed");
  });
});

test("a monitor answers what it knows and refuses the rest", () => {
  let resets = 0;
  const actions = { arch: "aarch64", quit() {}, reset: () => void resets++ };
  const lines = answerQmp('{"execute":"system_reset","id":7}', actions).trim().split("\r\n");
  expect(JSON.parse(lines[0])).toEqual({ return: {}, id: 7 });
  expect(JSON.parse(lines[1])).toMatchObject({ event: "RESET" });
  expect(resets).toBe(1);
  expect(JSON.parse(answerQmp("{", actions)).error.desc).toContain("JSON");
  expect(JSON.parse(answerQmp("null", actions)).error.class).toBe("CommandNotFound");
});
