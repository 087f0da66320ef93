// Linux's unit test of invalidation lists: what a domain must invalidate, merged and given up
// again.
import { expect, test } from "vitest";
import { AddressMap, HostMemory } from "../../src/engine/memory.ts";
import { Smmu } from "../../src/engine/smmu.ts";
import { put } from "../qemu/tables.ts";

/** One thing to invalidate, and how many devices want it. */
interface Target {
  type: "vmid" | "asid";
  id: number;
  users: number;
}

const order = (a: Target, b: Target): number =>
  a.type === b.type ? a.id - b.id : a.type < b.type ? -1 : 1;
const same = (a: Target, b: Target): boolean => a.type === b.type && a.id === b.id;

/** A sorted list without duplicates; entries without users stay until the list is purged. */
class Targets {
  #list: Target[] = [];

  get list(): readonly Target[] {
    return this.#list;
  }

  merge(more: readonly Target[]): void {
    for (const target of more) {
      const found = this.#list.find((t) => same(t, target));
      if (found) found.users++;
      else this.#list.push({ ...target, users: 1 });
    }
    this.#list.sort(order);
  }

  /** Gives targets up; says how many have no user left. */
  unref(less: readonly Target[]): number {
    for (const target of less) {
      const found = this.#list.find((t) => same(t, target) && t.users > 0);
      if (found) found.users--;
    }
    return this.#list.filter((t) => t.users === 0).length;
  }

  purge(): void {
    this.#list = this.#list.filter((t) => t.users > 0);
  }

  /** Commands for the targets that have users. */
  commands(): [bigint, bigint][] {
    return this.#list
      .filter((t) => t.users > 0)
      .map((t) => {
        const words = [t.type === "vmid" ? 0x28n : 0x11n, 0n];
        if (t.type === "vmid") put(words, 47, 32, t.id);
        else put(words, 63, 48, t.id);
        return [words[0], words[1]];
      });
  }
}

const vmid = (id: number): Target => ({ type: "vmid", id, users: 0 });
const asid = (id: number): Target => ({ type: "asid", id, users: 0 });

const STRTAB = 0x44000000n;
const IOVA = 0x1234000n;
const leafAt = (sid: number) => 0x48000000n + BigInt(sid) * 0x100000n + 0x201a0n;
const page = (sid: number, n: number) => 0x50000000n + BigInt(sid * 16 + n) * 0x1000n;

/** Streams 1 to 3 have stage 2 with their number as VMID; 4 to 6 stage 1, their number as ASID. */
async function build() {
  const memory = HostMemory.create();
  const map = new AddressMap(memory);
  map.mapRam(0x40000000n, 0x20000000);
  const smmu = await Smmu.create(memory, map);
  for (let sid = 1; sid <= 6; sid++) {
    const root = 0x48000000n + BigInt(sid) * 0x100000n;
    map.writeU64(root, (root + 0x10000n) | 3n);
    map.writeU64(root + 0x10000n + 9n * 8n, (root + 0x20000n) | 3n);
    const words = [0n, 0n, 0n, 0n];
    put(words, 3, 0, sid <= 3 ? 13 : 11);
    if (sid <= 3) {
      put(words, 143, 128, sid);
      put(words, 165, 160, 25);
      put(words, 167, 166, 1);
      put(words, 178, 176, 4);
      put(words, 179, 179, 1);
      words[3] = root;
    } else {
      const cd = [0n, root, 0n, 0xffn];
      for (const [hi, lo, value] of [
        [5, 0, 25],
        [31, 30, 3],
        [34, 32, 4],
        [41, 41, 1],
        [46, 45, 3],
        [63, 48, sid],
      ] as const) {
        put(cd, hi, lo, value);
      }
      const at = 0x42200000n + BigInt(sid * 64);
      words[0] |= at;
      cd.forEach((word, i) => {
        map.writeU64(at + BigInt(i * 8), word);
      });
    }
    words.forEach((word, i) => {
      map.writeU64(STRTAB + BigInt(sid * 64 + i * 8), word);
    });
  }
  for (const [at, value, size] of [
    [0x90, 0x42000008n, 8],
    [0xa0, 0x42100008n, 8],
    [0x88, 8n, 4],
    [0x80, STRTAB, 8],
    [0x20, 0xdn, 4],
  ] as const) {
    smmu.writeRegister(at, value, size);
  }
  let prod = 0;
  const run = (commands: [bigint, bigint][]) => {
    for (const [low, high] of [...commands, [0x46n, 0n] as const]) {
      const at = 0x42000000n + BigInt((prod % 256) * 16);
      map.writeU64(at, low);
      map.writeU64(at + 8n, high);
      prod = (prod + 1) % 512;
    }
    smmu.writeRegister(0x98, prod);
    expect(smmu.readRegister(0x60)).toBe(0n);
  };
  return { map, smmu, run };
}

test("merged, given up and purged lists invalidate exactly what somebody still wants", async () => {
  const { map, smmu, run } = await build();
  const targets = new Targets();
  let version = 0;
  /** Streams whose translation follows an edit of all leaves once these commands have run. */
  const reached = (commands: [bigint, bigint][]): number[] => {
    const streams = [1, 2, 3, 4, 5, 6];
    const edit = (n: number) => {
      for (const sid of streams) {
        map.writeU64(leafAt(sid), page(sid, n) | (sid <= 3 ? 0x4ffn : 0xc43n));
      }
    };
    version = (version % 7) + 1;
    edit(version);
    run([[0x30n, 0n]]);
    const before = streams.map((sid) => smmu.translate({ sid, iova: IOVA }).pa);
    expect(before).toEqual(streams.map((sid) => page(sid, version)));
    edit(version + 8);
    run(commands);
    return streams.filter(
      (sid) => smmu.translate({ sid, iova: IOVA }).pa === page(sid, version + 8),
    );
  };

  const [first, second, third] = [
    [vmid(1), vmid(2), vmid(3)],
    [vmid(1), asid(4), asid(5)],
    [vmid(1), asid(5), asid(6)],
  ];
  const shape = () => targets.list.map((t) => `${t.type}${t.id}:${t.users}`).join(" ");

  expect(reached(targets.commands())).toEqual([]);
  targets.merge(first);
  expect(shape()).toBe("vmid1:1 vmid2:1 vmid3:1");
  expect(reached(targets.commands())).toEqual([1, 2, 3]);
  targets.merge(second);
  expect(shape()).toBe("asid4:1 asid5:1 vmid1:2 vmid2:1 vmid3:1");
  expect(reached(targets.commands())).toEqual([1, 2, 3, 4, 5]);
  expect(targets.unref(second)).toBe(2);
  expect(shape()).toBe("asid4:0 asid5:0 vmid1:1 vmid2:1 vmid3:1");
  expect(reached(targets.commands())).toEqual([1, 2, 3]);
  // A target without users comes back when another device wants it.
  targets.merge(third);
  expect(shape()).toBe("asid4:0 asid5:1 asid6:1 vmid1:2 vmid2:1 vmid3:1");
  expect(reached(targets.commands())).toEqual([1, 2, 3, 5, 6]);
  expect(targets.unref(first)).toBe(3);
  targets.purge();
  expect(shape()).toBe("asid5:1 asid6:1 vmid1:1");
  expect(reached(targets.commands())).toEqual([1, 5, 6]);
  expect(targets.unref(third)).toBe(3);
  targets.purge();
  expect(targets.list).toEqual([]);
  expect(reached(targets.commands())).toEqual([]);
});
