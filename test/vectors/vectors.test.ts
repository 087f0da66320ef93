// The vectors that others consume: complete, repeatable, and right by an independent oracle.
import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  type RunVector,
  recordedVectors,
  type StepAnswer,
  VECTOR_KINDS,
  type Vector,
  vectors,
} from "../../src/vectors/index.ts";
import { answerSteps } from "../../src/vectors/run.ts";
import { call } from "../cli/call.ts";
import { translateOracle } from "../oracle/oracle.ts";
import { take } from "../qemu/tables.ts";
import { recordedFromTests } from "./recorded.ts";

const RECORDED = new URL("../../src/vectors/recorded.json", import.meta.url);
const isRun = (v: Vector): v is RunVector => "steps" in v.given;
const runs = (list: Vector[], kind: string) =>
  list.filter((v): v is RunVector => isRun(v) && v.kind === kind);

describe("recorded vectors", () => {
  test("are those that the recordings give (UPDATE_DOCS=1 writes them)", async () => {
    const lines = (await recordedFromTests()).map((v) => JSON.stringify(v));
    const text = `[\n${lines.join(",\n")}\n]\n`;
    if (process.env.UPDATE_DOCS === "1") writeFileSync(RECORDED, text);
    expect(readFileSync(RECORDED, "utf8")).toBe(text);
  });

  test("come from QEMU, Linux and hardware, and cover the ways to fault", () => {
    const recorded = recordedVectors();
    expect(new Set(recorded.map((v) => v.provenance))).toEqual(
      new Set(["qemu-11.1", "linux capture", "hardware record"]),
    );
    const ids = recorded.map((v) => v.id).join(" ");
    for (const part of ["success1", "success2", "success3", "bypass", "abort", "-10-", "-13-"]) {
      expect(ids).toContain(part);
    }
    expect(runs(recorded, "invalidation").length).toBeGreaterThan(3);
    expect(runs(recorded, "command-error").length).toBeGreaterThan(3);
  });

  test("hold on the engine in QEMU's mode", async () => {
    for (const vector of recordedVectors().filter(isRun)) {
      const answers = await answerSteps(vector.given, "qemu");
      expect(answers, vector.id).toEqual(vector.expect.answers);
    }
  });
});

describe("generated vectors", () => {
  test("depend on the seed alone", async () => {
    const one = await vectors({ seed: 5, count: 4 });
    expect(await vectors({ seed: 5, count: 4 })).toEqual(one);
    expect(await vectors({ seed: 6, count: 4 })).not.toEqual(one);
    const ids = one.vectors.map((v) => v.id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("every kind and every origin can be had alone", async () => {
    for (const kind of VECTOR_KINDS) {
      const set = await vectors({ kind, count: 2 });
      expect(set.vectors.length).toBeGreaterThan(1);
      expect(set.vectors.every((v) => v.kind === kind)).toBe(true);
    }
    const hardware = await vectors({ provenance: "hardware record" });
    expect(hardware.vectors.every((v) => v.provenance === "hardware record")).toBe(true);
    expect(hardware.vectors.length).toBeGreaterThan(5);
  });

  test("translations are what the oracle says", async () => {
    const set = await vectors({ kind: "translation", provenance: "arch", count: 150, seed: 11 });
    const seen = new Set<string>();
    for (const { given, expect: wanted, id } of set.vectors.filter(isRun)) {
      const memory = new Map(given.memory.map(([at, value]) => [BigInt(at), BigInt(value)]));
      const register = (offset: string) => Number(given.id[offset]);
      const access = given.steps.at(-1);
      if (access?.do !== "access") throw new Error(`${id} does not end with an access`);
      const answer = translateOracle(
        {
          read64: (pa) =>
            pa >= 0x40000000n && pa < 0x60000000n ? (memory.get(pa) ?? 0n) : undefined,
        },
        {
          idr0: register("0x0"),
          idr1: register("0x4"),
          idr2: register("0x8"),
          idr3: register("0xc"),
          idr4: register("0x10"),
          idr5: register("0x14"),
          ...{ aidr: 1, cr0: 0xd, cr2: 2, gbpa: 0x1000 },
          ...{ strtabBase: 0x44000000n, strtabBaseCfg: 6 },
        },
        {
          sid: access.streamId,
          iova: BigInt(access.iova),
          write: access.write,
          privileged: true,
        },
        "arch",
      );
      const events = answer.recorded ? [Buffer.from(answer.record!).toString("hex")] : [];
      const expected: StepAnswer =
        answer.status === "ok"
          ? {
              outcome: "ok",
              pa: `0x${answer.pa!.toString(16)}`,
              perm: answer.perm! % 4,
              stage: answer.stage,
              events,
            }
          : { outcome: "none", events };
      expect(wanted.answers.at(-1), id).toEqual(expected);
      seen.add(answer.status === "ok" ? `ok${answer.stage}` : (events[0]?.slice(0, 2) ?? "silent"));
    }
    expect([...seen].sort()).toEqual(
      expect.arrayContaining(["04", "0a", "10", "11", "12", "13", "ok1", "ok2", "ok3"]),
    );
  });

  test("an invalidation leads to the new place, 64 MiB further on", async () => {
    const set = await vectors({ kind: "invalidation", provenance: "arch", count: 30 });
    for (const { expect: wanted } of set.vectors.filter(isRun)) {
      const [before, after] = wanted.answers.filter((a) => a !== null && typeof a === "object");
      const pa = (a: StepAnswer) => BigInt((a as { pa: string }).pa);
      expect(pa(after) - pa(before)).toBe(0x4000000n);
      expect(wanted.answers.at(-2)).toBe("0x0");
    }
  });

  test("a command error stops at the bad command and goes on after it is replaced", async () => {
    const set = await vectors({ kind: "command-error", provenance: "arch", count: 30 });
    for (const { given, expect: wanted } of set.vectors.filter(isRun)) {
      const reads = wanted.answers.filter((a) => typeof a === "string").map(BigInt);
      const stored = given.steps.filter((s) => s.do === "store").length;
      const total = BigInt(stored / 2 - 1);
      // CONS stays at the bad command with CERROR_ILL, GERROR.CMDQ_ERR rises; then all are done.
      expect(reads[0]).toBe((1n << 24n) | (total - 2n));
      expect(reads[1]).toBe(1n);
      expect(reads[2] % (1n << 24n)).toBe(total);
    }
  });

  test("entries hold the fields at the positions that the specification prints", async () => {
    const set = await vectors({ kind: "entry", count: 20, seed: 3 });
    const positions: Record<string, [string, number, number][]> = {
      STE: [
        ["Config", 3, 1],
        ["S1CDMax", 63, 59],
        ["EATS", 93, 92],
        ["S2VMID", 143, 128],
        ["S2T0SZ", 165, 160],
      ],
      CD: [
        ["T0SZ", 5, 0],
        ["IPS", 34, 32],
        ["ASID", 63, 48],
      ],
      L1STD: [["Span", 4, 0]],
    };
    let checked = 0;
    for (const vector of set.vectors) {
      if (vector.kind !== "entry") continue;
      const words = vector.given.words.map(BigInt);
      for (const [name, hi, lo] of positions[vector.given.structure] ?? []) {
        expect(BigInt(vector.expect.fields[name]), `${vector.id} ${name}`).toBe(
          take(words, hi, lo),
        );
        checked++;
      }
    }
    expect(checked).toBe(20 * 9);
  });

  test("event records hold type, StreamID and address where Linux reads them", async () => {
    const set = await vectors({ kind: "event", count: 40, seed: 2 });
    for (const vector of set.vectors) {
      if (vector.kind !== "event") continue;
      const words = vector.given.record.map(BigInt);
      const { fields, type } = vector.expect;
      expect(type).toBe(Number(take(words, 7, 0)));
      if (fields.StreamID) expect(BigInt(fields.StreamID)).toBe(take(words, 63, 32));
      if (fields.RnW) expect(BigInt(fields.RnW)).toBe(take(words, 99, 99));
      if (fields.InputAddr && /^F_(TRANSL|ADDR|ACC|PERM)/.test(vector.expect.name)) {
        expect(BigInt(fields.InputAddr)).toBe(words[2]);
      }
    }
  });
});

describe("the command", () => {
  test("prints one document", async () => {
    const { code, out } = await call(["vectors", "--seed", "9", "--count", "1"]);
    expect(code).toBe(0);
    const set = JSON.parse(out);
    expect(set).toMatchObject({ schema: "vsmmu-vectors", version: 1, seed: 9 });
    expect(set).toEqual(JSON.parse(JSON.stringify(await vectors({ seed: 9, count: 1 }))));
  });

  test("prints a C header with the same vectors", async () => {
    const { code, out } = await call(["vectors", "--count", "2", "--format", "c"]);
    expect(code).toBe(0);
    const set = await vectors({ count: 2 });
    const count = (kind: RegExp) => set.vectors.filter((v) => kind.test(v.kind)).length;
    expect(out).toContain(`#define VSMMU_ENTRIES ${count(/^entry$/)}`);
    expect(out).toContain(`#define VSMMU_EVENTS ${count(/^event$/)}`);
    expect(out).toContain(`#define VSMMU_RUNS ${count(/tion$|error/)}`);
    const hardware = set.vectors.find((v) => v.id === "hardware-0");
    if (hardware?.kind !== "event") throw new Error("there is no hardware record");
    expect(out).toContain(hardware.given.record.map((w) => `${w}ull`).join(", "));
  });

  test("refuses kinds and origins that are none", async () => {
    expect((await call(["vectors", "--kind", "nothing"])).code).toBe(2);
    const { code, err } = await call(["vectors", "--provenance", "me"]);
    expect(code).toBe(2);
    expect(err).toContain("hardware record");
  });
});
