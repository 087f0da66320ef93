// A hostile guest: random registers, queues and STEs of vSMMU and CMDQV end in no exception.
import fc from "fast-check";
import { expect, test } from "vitest";
import { AccelMachine, CMDQV_BASE, SMMU_BASE } from "../../src/machine/accel-machine.ts";
import { CMDQV_BYTES } from "../../src/smmu/cmdqv.ts";

const TABLES = 0x4040_0000n;
/** Registers that matter, and any other. */
const SMMU_OFFSETS = [
  0x20, 0x2c, 0x44, 0x50, 0x60, 0x64, 0x80, 0x88, 0x90, 0x98, 0x9c, 0xa0, 0x100ac,
];
const CMDQV_OFFSETS = [
  0x0, 0x1c, 0x200, 0x204, 0x1000, 0x1040, 0x1080, 0x10000, 0x10004, 0x10008, 0x10014, 0x20000,
  0x20004, 0x20008, 0x20080, 0x30000, 0x30004, 0x30008, 0x30014, 0x30084, 0x40000,
];
/** Addresses and enables that make something happen, and noise. */
const VALUES = [
  0n,
  1n,
  3n,
  0xdn,
  0x10n,
  0x8010_0000n,
  TABLES | 8n,
  TABLES + 0x1_0000n,
  0x1_0210n,
  ~0n,
];

const value = fc.oneof(
  fc.constantFrom(...VALUES).map((v) => BigInt.asUintN(64, v)),
  fc.bigInt(0n, 2n ** 64n - 1n),
  fc.nat(64).map(BigInt),
);
const size = fc.constantFrom(4 as const, 8 as const);

const OP = fc.oneof(
  fc.record({
    at: fc.oneof(
      fc.constantFrom(...SMMU_OFFSETS),
      fc.nat(0x7fff).map((n) => n * 4),
    ),
    frame: fc.constant(SMMU_BASE),
    value,
    size,
  }),
  fc.record({
    at: fc.oneof(
      fc.constantFrom(...CMDQV_OFFSETS),
      fc.nat(CMDQV_BYTES / 4 - 1).map((n) => n * 4),
    ),
    frame: fc.constant(CMDQV_BASE),
    value,
    size,
  }),
);

/** Opcodes that reach the host, and anything. */
const commandWord = fc.oneof(
  fc
    .tuple(fc.constantFrom(3n, 4n, 5n, 6n, 0x10n, 0x11n, 0x12n, 0x13n, 0x30n, 0x40n, 0x46n), value)
    .map(([opcode, rest]) => (((rest & ~0xffn) | opcode) & ~(0xffff_ff00n << 32n)) | (8n << 32n)),
  value,
);

test("no exception, no read of a table by the VMM, no illegal command on the host", async () => {
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(OP, { minLength: 30, maxLength: 150, size: "max" }),
      fc.array(commandWord, { minLength: 64, maxLength: 64 }),
      fc.constantFrom("arch" as const, "qemu" as const),
      async (ops, words, compat) => {
        const machine = await AccelMachine.create({ cmdqv: true, compat, kernel: "next" });
        const nvme = machine.plug({ bdf: "0000:00:01.0", hostBdf: "0000:00:05.0", hostSid: 0x28 });
        for (const [i, word] of words.entries())
          machine.map.writeU64(TABLES + BigInt(i * 8), BigInt.asUintN(64, word));
        for (const [i, op] of ops.entries()) {
          machine.guestWrite(op.frame + BigInt(op.at), op.value, op.size);
          machine.guestRead(op.frame + BigInt(op.at), op.size);
          if (i % 16 === 0) machine.dma(nvme, op.value, true);
          if (i === 100) machine.reset();
        }
        expect(machine.host.port.refused).toEqual([]);
        // The function made a vIOMMU with a CMDQV and cannot be unplugged; its interface can go.
        machine.ops.unsetIommuDevice(machine.root, nvme.fn.devfn);
        const left = machine.host.iommufd.objects.list().map((o) => o.type);
        expect(left).toEqual(["device", "ioas", "hwpt-paging"]);
        runs++;
      },
    ),
    { numRuns: 40, seed: 7 },
  );
  expect(runs).toBe(40);
});
