// Random programs for an ITS: registers, commands, messages, stray stores, hostile values.
import fc from "fast-check";

/** Where things are in the tests' RAM of 512 KiB. */
export const RAM = 0x40000000n;
export const RAM_BYTES = 0x80000;
export const QUEUE = RAM;
export const DEVICES = RAM + 0x10000n;
export const LEVEL2 = RAM + 0x20000n;
export const COLLECTIONS = RAM + 0x30000n;
export const ITTS = RAM + 0x40000n;
export const CONFIG = RAM + 0x50000n;
export const PENDING = [RAM + 0x60000n, RAM + 0x70000n];
/** Nothing is here. */
export const HOLE = 0x50000000n;

/** The LPI registers of a redistributor. */
export interface RedistState {
  readonly idBits: number;
  readonly lpis: boolean;
  readonly config: bigint;
  readonly pending: bigint;
}

export type Action =
  | { readonly do: "baser"; readonly index: number; readonly value: bigint }
  | { readonly do: "cbaser"; readonly value: bigint }
  | { readonly do: "ctlr"; readonly value: bigint }
  | { readonly do: "cwriter"; readonly value: bigint }
  | { readonly do: "commands"; readonly commands: readonly bigint[]; readonly retry: boolean }
  | { readonly do: "deliver"; readonly device: number; readonly event: number }
  | { readonly do: "poke"; readonly at: bigint; readonly value: bigint }
  | { readonly do: "redist"; readonly rd: number; readonly redist: RedistState };

const pick = <T>(...values: T[]) => fc.constantFrom(...values);
/** Mostly ordinary values, now and then a hostile one. */
const mostly = <T>(usual: fc.Arbitrary<T>, hostile: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 9, arbitrary: usual }, { weight: 1, arbitrary: hostile });

const device = mostly(pick(0, 8, 8, 9), pick(512, 0x1fff, 0x2000, 0xffff, 0x10000, 0xffffffff));
const eventId = mostly(pick(0, 1, 2, 3, 8192), pick(31, 32, 0xffff, 0x10000, 0x10001, 0xffffffff));
const intid = mostly(pick(8192, 8193, 8199, 8200), pick(0, 8191, 65535, 65536, 0xffffffff));
const icid = mostly(pick(0, 1, 2), pick(3, 511, 512, 0xffff));
const rdbase = mostly(pick(0n, 1n), pick(2n, 0xffffn, 0x10000n, 0x100000000n, 0xfffffffffn));
const itt = mostly(
  pick(ITTS, ITTS + 0x100n, ITTS + 0x800n),
  pick(RAM + BigInt(RAM_BYTES) - 0x100n, 0n, 0xf_ffff_ffff_ff00n),
);
const bit = pick(0n, 1n);

const command = fc
  .record({
    opcode: mostly(pick(1, 3, 4, 5, 8, 9, 10, 10, 11, 12, 13, 14, 15), pick(0, 2, 0x2a, 0xff)),
    device,
    event: eventId,
    intid,
    icid,
    rdbase,
    second: rdbase,
    itt,
    size: mostly(pick(1n, 4n), pick(0n, 15n, 16n, 31n)),
    valid: mostly(pick(1n), pick(0n)),
  })
  .map((c) => {
    const word2 =
      c.opcode === 8
        ? (c.valid << 63n) | c.itt
        : (c.valid << 63n) | (c.rdbase << 16n) | BigInt(c.icid);
    const word1 = c.opcode === 8 ? c.size : BigInt(c.event) | (BigInt(c.intid) << 32n);
    const word0 = BigInt(c.opcode) | (BigInt(c.device) << 32n);
    return word0 | (word1 << 64n) | (word2 << 128n) | ((c.second << 16n) << 192n);
  });

/** BASER value: valid, indirect, page size, pages, address. */
const table = (...addresses: bigint[]) =>
  fc
    .record({
      valid: mostly(pick(1n), pick(0n)),
      indirect: bit,
      page: pick(0n, 1n, 2n, 3n),
      pages: mostly(pick(0n, 1n), pick(63n, 127n, 255n)),
      at: mostly(pick(...addresses), pick(0n, 0xffff_ffff_0000n, 0x7000n)),
      cache: fc.bigInt(0n, 7n),
      share: fc.bigInt(0n, 3n),
    })
    .map(
      (b) =>
        (b.valid << 63n) |
        (b.indirect << 62n) |
        (b.cache << 59n) |
        (b.cache << 53n) |
        b.at |
        (b.share << 10n) |
        (b.page << 8n) |
        b.pages,
    );

const poke = fc.record({
  do: fc.constant("poke" as const),
  at: pick(
    DEVICES,
    DEVICES + 8n,
    LEVEL2,
    LEVEL2 + 8n,
    COLLECTIONS,
    ITTS,
    ITTS + 16n,
    CONFIG,
    CONFIG + 8n,
  ).chain((at) => fc.nat(3).map((i) => at + BigInt(i) * 8n)),
  value: fc.oneof(
    fc.bigInt(0n, (1n << 64n) - 1n),
    pick(0n, (1n << 63n) | LEVEL2, (1n << 63n) | (LEVEL2 + 0x1000n), 0xc3c3c3c3c3c3c3c3n),
  ),
});

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("baser" as const),
      index: pick(0, 1, 2, 7),
      value: table(DEVICES, COLLECTIONS),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("cbaser" as const),
      value: table(QUEUE, QUEUE + 0x1000n),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("ctlr" as const), value: mostly(pick(1n), pick(0n)) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("cwriter" as const),
      value: pick(0n, 1n, 0x20n, 0xfe0n, 0x1000n, 0xfffe1n),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("commands" as const),
      commands: fc.array(command, { minLength: 1, maxLength: 8 }),
      retry: fc.boolean(),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("deliver" as const), device, event: eventId }),
  },
  { weight: 2, arbitrary: poke },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("redist" as const),
      rd: pick(0, 1),
      redist: fc.record({
        idBits: mostly(pick(15, 13), pick(0, 31)),
        lpis: mostly(pick(true), pick(false)),
        config: mostly(pick(CONFIG), pick(HOLE)),
        pending: mostly(pick(...PENDING), pick(HOLE)),
      }),
    }),
  },
);

const VALID = 1n << 63n;

/** A program that usually starts with an ITS that works: queue, tables, collections, one device. */
export const program: fc.Arbitrary<Action[]> = fc
  .record({
    level: pick("flat", "indirect", "raw"),
    actions: fc.array(action, { minLength: 1, maxLength: 40 }),
  })
  .map(({ level, actions }) => {
    if (level === "raw") return actions;
    const indirect = level === "indirect" ? 1n << 62n : 0n;
    const start: Action[] = [
      { do: "poke", at: DEVICES, value: VALID | LEVEL2 },
      { do: "cbaser", value: VALID | QUEUE },
      { do: "baser", index: 0, value: VALID | indirect | DEVICES | 0x200n },
      { do: "baser", index: 1, value: VALID | COLLECTIONS | 0x200n },
      { do: "ctlr", value: 1n },
      { do: "poke", at: CONFIG, value: 0xc2c3c3c3a1c3c3c3n },
      { do: "commands", retry: false, commands: MAPPINGS },
    ];
    return [...start, ...actions];
  });

const mapc = (target: bigint, collection: bigint): bigint =>
  9n | ((VALID | (target << 16n) | collection) << 128n);
const mapd = (id: bigint, size: bigint, at: bigint): bigint =>
  8n | (id << 32n) | (size << 64n) | ((VALID | at) << 128n);
const mapti = (id: bigint, event: bigint, lpi: bigint, collection: bigint): bigint =>
  10n | (id << 32n) | (event << 64n) | (lpi << 96n) | (collection << 128n);

/** Two collections, a small and a large device, and a few events of them. */
const MAPPINGS = [
  mapc(0n, 0n),
  mapc(1n, 1n),
  mapd(8n, 4n, ITTS),
  mapd(9n, 15n, ITTS + 0x800n),
  mapti(8n, 0n, 8192n, 0n),
  mapti(8n, 1n, 8193n, 1n),
  mapti(9n, 2n, 8199n, 1n),
  mapti(9n, 3n, 8195n, 2n),
];
