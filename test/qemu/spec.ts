// What a random program is made of: plain numbers that shrink well.
import fc from "fast-check";

/** A mapping of one device. */
export interface PageSpec {
  step: number;
  level: number;
  data: number;
  outside: boolean;
  attributes: number;
  s2Level: number;
  s2Attributes: number;
}

/** A change of one word: `bit` says what to do (see change()). */
export interface ChangeSpec {
  target: "leaf" | "s1" | "s2" | "ste" | "cd";
  index: number;
  how: "flip" | "zero" | "move" | "access";
  bit: number;
}

/** One device: which master, its STE, CD and tables. */
export interface DeviceSpec {
  master: number;
  config: number;
  s1: { granule: number; bits: number; high: boolean; ips: number; flags: number };
  s2: { granule: number; bits: number; start: number; ps: number; flags: number };
  asid: number;
  vmid: number;
  delta: number;
  base: bigint;
  pages: PageSpec[];
  faults: ChangeSpec[];
}

/** A transmit descriptor: its buffer, and bits that say what kind it is. */
export interface DescriptorSpec {
  page: number;
  offset: number;
  bytes: number;
  flags: number;
}

/** The ring of an e1000: descriptors from `head` on, and how many of them it is told to take. */
export interface RingSpec {
  entries: number;
  head: number;
  count: number;
  descriptors: DescriptorSpec[];
}

/** A DMA; of an e1000 it is one of its ring, which lies where others would move data. */
export interface DmaSpec {
  do: "dma";
  device: number;
  page: number;
  offset: number;
  noise: number;
  bytes: number;
  read: boolean;
  ring: RingSpec;
}

/** A command with its parameters; `sync` adds a CMD_SYNC behind it. */
export interface CommandSpec {
  do: "command";
  kind: number;
  device: number;
  page: number;
  near: number;
  range: { num: number; scale: number; ttl: number; tg: number; leaf: boolean };
  sync: boolean;
}

export type ActionSpec =
  | DmaSpec
  | CommandSpec
  | { do: "change"; device: number; change: ChangeSpec }
  | { do: "get"; register: number; size: 4 | 8 }
  | { do: "reg"; register: number; value: number; wide: boolean }
  | { do: "recover" };

/** The stream table and the queues. */
export interface TableSpec {
  twoLevel: boolean;
  split: number;
  log2: number;
  span: number;
  cmdqLog2: number;
  eventqLog2: number;
  cr2: number;
  /** Address bits below the alignment: of the stream table, the command and the event queue. */
  low: [strtab: bigint, cmdq: bigint, eventq: bigint];
}

export interface ProgramSpec {
  table: TableSpec;
  devices: DeviceSpec[];
  actions: ActionSpec[];
}

// Boundary values are no more telling here than others: every bit stands for itself.
const below = (n: number) => fc.noBias(fc.nat({ max: n - 1 }));
const flags = below(0x10000);
const weighted = <T>(...options: [number, T][]) =>
  fc.oneof(...options.map(([weight, value]) => ({ weight, arbitrary: fc.constant(value) })));
const rarely = (weight: number) => weighted<boolean>([100 - weight, false], [weight, true]);

const page: fc.Arbitrary<PageSpec> = fc.record({
  step: below(8),
  level: weighted([12, 3], [4, 2], [2, 1], [1, 0]),
  data: below(0x4000),
  outside: rarely(8),
  attributes: flags,
  s2Level: weighted([10, 3], [4, 2], [1, 1]),
  s2Attributes: flags,
});

const change = (...targets: [number, ChangeSpec["target"]][]): fc.Arbitrary<ChangeSpec> =>
  fc.record({
    target: weighted(...targets),
    index: below(24),
    how: weighted<ChangeSpec["how"]>([5, "flip"], [3, "zero"], [3, "move"], [2, "access"]),
    bit: below(64),
  });

const granule = weighted([4, 12], [3, 14], [3, 16]);

/** A device, one of `masters`. */
export const device = (masters: number): fc.Arbitrary<DeviceSpec> =>
  fc.record({
    master: below(masters),
    config: weighted([30, 5], [20, 6], [35, 7], [5, 4], [1, 0], [1, 2]),
    s1: fc.record({
      granule,
      bits: fc.oneof(
        { weight: 8, arbitrary: fc.noBias(fc.integer({ min: 32, max: 48 })) },
        { weight: 2, arbitrary: fc.integer({ min: 25, max: 31 }) },
      ),
      high: rarely(25),
      ips: weighted([1, 0], [1, 1], [2, 2], [2, 3], [4, 4], [8, 5]),
      flags,
    }),
    s2: fc
      .record({
        granule,
        // Address bits below the limit that `ps` sets; seldom above it.
        spare: weighted([9, 0], [3, 1], [3, 2], [3, 4], [3, 6], [3, 9], [1, 11], [1, -2]),
        start: below(32),
        ps: weighted([1, 0], [1, 1], [2, 2], [2, 3], [6, 4], [6, 5], [1, 6]),
        flags,
      })
      .map(({ granule, spare, start, ps, flags }) => {
        const bits = Math.max([32, 36, 40, 42, 44, 44, 44][ps] - spare, spare > 9 ? 25 : 31);
        return { granule, bits, start, ps, flags };
      }),
    asid: weighted([3, 0x11], [2, 0x12], [1, 0], [1, 0xffff]),
    vmid: weighted([3, 0x21], [2, 0x22], [1, 0], [1, 0xffff]),
    delta: weighted([6, 0], [2, 0x40], [1, 0x12345]),
    base: fc.noBias(fc.bigInt({ min: 0n, max: (1n << 48n) - 1n })),
    pages: fc.array(page, { minLength: 1, maxLength: 6, size: "max" }),
    faults: fc.oneof(
      { weight: 6, arbitrary: fc.constant<ChangeSpec[]>([]) },
      {
        weight: 4,
        arbitrary: fc.array(change([3, "leaf"], [3, "s1"], [3, "s2"], [2, "ste"], [2, "cd"]), {
          minLength: 1,
          maxLength: 2,
        }),
      },
    ),
  });

const ring: fc.Arbitrary<RingSpec> = fc.record({
  entries: weighted([12, 8], [4, 16], [1, 64], [1, 0]),
  head: weighted([8, 0], [2, 3], [2, 7], [1, 20], [1, 0xffff]),
  count: weighted([6, 1], [4, 2], [2, 4], [1, 0], [1, 12], [1, 100]),
  descriptors: fc.array(
    fc.record({
      page: below(6),
      offset: below(4096),
      bytes: weighted([6, 4], [4, 0], [4, 1], [4, 13], [4, 64], [2, 300], [1, 5000]),
      flags,
    }),
    { minLength: 1, maxLength: 4, size: "max" },
  ),
});

const dma: fc.Arbitrary<ActionSpec> = fc.record({
  do: fc.constant("dma" as const),
  device: below(6),
  page: below(6),
  offset: below(4096),
  noise: weighted([90, -1], [1, 63], [1, 56], [1, 48], [1, 40], [1, 20], [1, 12], [1, 13]),
  bytes: weighted([12, 4], [1, 1], [1, 3], [1, 8], [1, 16]),
  read: fc.boolean(),
  ring,
});

const command: fc.Arbitrary<ActionSpec> = fc.record({
  do: fc.constant("command" as const),
  kind: below(24),
  device: below(6),
  page: below(6),
  near: weighted([10, 0], [1, 1], [1, -1], [1, 2]),
  range: fc.record({
    num: weighted([4, 0], [3, 1], [1, 3], [1, 7], [1, 31]),
    scale: weighted([6, 0], [1, 1], [1, 2], [1, 5], [1, 9]),
    ttl: weighted([4, 0], [3, 3], [1, 2], [1, 1]),
    tg: weighted([4, 0], [4, 1], [1, 2], [1, 3]),
    leaf: fc.boolean(),
  }),
  sync: fc.boolean(),
});

const edit: fc.Arbitrary<ActionSpec> = fc.record({
  do: fc.constant("change" as const),
  device: below(6),
  change: change([8, "leaf"], [2, "s1"], [2, "s2"], [1, "ste"], [1, "cd"]),
});

const get: fc.Arbitrary<ActionSpec> = fc.record({
  do: fc.constant("get" as const),
  register: below(64),
  size: weighted<4 | 8>([4, 4], [1, 8]),
});

const reg: fc.Arbitrary<ActionSpec> = fc.record({
  do: fc.constant("reg" as const),
  register: below(16),
  value: flags,
  wide: rarely(10),
});

const recover: fc.Arbitrary<ActionSpec> = fc.constant({ do: "recover" as const });

/** The kinds of program; each names what its actions stress. */
export const KINDS = ["walk", "cache", "registers", "overflow", "commands", "rings"] as const;
export type Kind = (typeof KINDS)[number];

const MIX: Record<Kind, [number, fc.Arbitrary<ActionSpec>][]> = {
  walk: [[1, dma]],
  cache: [
    [6, dma],
    [3, edit],
    [3, command],
  ],
  registers: [
    [4, dma],
    [3, get],
    [2, reg],
    [1, command],
  ],
  overflow: [
    [12, dma],
    [1, reg],
    [1, get],
  ],
  commands: [
    [3, dma],
    [6, command],
    [1, edit],
    [2, recover],
    [1, get],
  ],
  rings: [
    [6, dma],
    [1, edit],
    [1, command],
  ],
};

/** A random program of one kind, for `masters` devices. */
export function programSpec(kind: Kind, masters: number): fc.Arbitrary<ProgramSpec> {
  const actions = MIX[kind].map(([weight, arbitrary]) => ({ weight, arbitrary }));
  return fc.record({
    table: fc.record({
      twoLevel: fc.boolean(),
      split: weighted([6, 6], [6, 8], [4, 10], [1, 0], [1, 7], [1, 31]),
      log2: weighted([40, 16], [1, 9], [1, 5], [1, 14], [1, 20]),
      span: weighted([30, 0], [1, -1], [1, -2], [1, 1], [1, 30]),
      cmdqLog2: weighted([2, 2], [2, 4], [4, 8]),
      eventqLog2: kind === "overflow" ? weighted([1, 0], [2, 1], [2, 2], [1, 3]) : fc.constant(12),
      cr2: weighted([8, 2], [1, 0], [1, 7]),
      low: fc.tuple(
        weighted([16, 0n], [1, 0x40n], [1, 0x3fffc0n], [1, 0x1000n], [1, 0xffc0n]),
        weighted([40, 0n], [1, 0x20n], [1, 0x40n], [1, 0x800n]),
        weighted([40, 0n], [1, 0x20n], [1, 0x40n], [1, 0x800n]),
      ),
    }),
    devices: fc.array(device(masters), { minLength: 1, maxLength: 4, size: "max" }),
    actions: fc.array(fc.oneof(...actions), { minLength: 8, maxLength: 40, size: "max" }),
  });
}
