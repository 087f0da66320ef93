// Logs, traces and entries of real guests: what we decode equals what QEMU recorded and did.
import { describe, expect, test } from "vitest";
import {
  type CommandRecord,
  decodeCommand,
  decodeDescriptor,
  decodeEvent,
  decodeLog,
  decodeStructure,
  type EventRecord,
  type StructureRecord,
} from "../../src/decode/index.ts";
import { captureText } from "./kernel-text.ts";

interface FaultTest {
  name: string;
  sid?: number;
  iova: string;
  write: boolean;
  pokes?: [string, string][];
  events: string[];
  trace: string[];
  dmesg: string[];
}

interface Stream {
  sid: number;
  ste_addr: number;
  cd_addr?: number;
  ste: string[];
  cd?: string[];
}

const faults: FaultTest[] = JSON.parse(captureText("faults-4k/fault-tests.json.gz"));
const manifest = JSON.parse(captureText("faults-4k/manifest.json")) as {
  smmu: { regs: Record<string, number> }[];
  streams: Stream[];
};
const { regs } = manifest.smmu[0];

/** 64-bit words of bytes in memory order. */
const wordsOf = (hex: string): bigint[] =>
  (hex.match(/.{16}/g) ?? []).map((w) => BigInt(`0x${(w.match(/../g) ?? []).reverse().join("")}`));

const eventsOf = (text: string): EventRecord[] =>
  decodeLog(text).records.filter((r): r is EventRecord => r.kind === "event");

describe("faults-4k: the kernel's log against the raw records", () => {
  test.each(faults.filter((t) => t.dmesg.some((l) => l.includes("received"))))("$name", (t) => {
    const printed = eventsOf(t.dmesg.join("\n"));
    const raw = t.events.map(wordsOf);
    expect(printed.length).toBeGreaterThan(0);
    for (const e of printed) {
      expect(raw).toContainEqual([...e.words]);
      expect(e.notes).toEqual([]);
      expect(e.sid).toBe(t.sid ?? decodeEvent(raw[0]).sid);
    }
  });

  test("every raw record decodes to the stream, direction and address of its test", () => {
    let count = 0;
    for (const t of faults) {
      for (const hex of t.events) {
        const e = decodeEvent(wordsOf(hex));
        expect(e.event).toMatch(/^[CF]_[A-Z_]+$/);
        if (e.sid === t.sid && e.iova !== undefined && e.iova >= BigInt(t.iova) && e.class === "IN")
          expect(e.direction).toBe(t.write ? "write" : "read");
        expect(e.fields.filter((f) => f.kind === "reserved")).toEqual(
          /^[CF]_BAD|F_CD_FETCH/.test(e.event) || e.stage === 2 ? expect.anything() : [],
        );
        count++;
      }
    }
    expect(count).toBe(2329);
  });

  test("the whole log: every printed event, every suppressed one, the illegal command", () => {
    const result = decodeLog(captureText("faults-4k/dmesg.txt"));
    const events = result.records.filter((r) => r.kind === "event");
    const headers = captureText("faults-4k/dmesg.txt").match(/event 0x[0-9a-f]+ received/g) ?? [];
    expect(events).toHaveLength(headers.length);
    expect(events.length + result.suppressed).toBeGreaterThanOrEqual(2300);
    const command = result.records.find((r): r is CommandRecord => r.kind === "command");
    expect(command).toMatchObject({ opcode: 0xff, words: [0xffn, 0x1122334455667788n] });
    const doorbells = events.filter((e) => e.hints.some((h) => h.id === "msi-doorbell"));
    expect(new Set(doorbells.map((e) => (e as EventRecord).iova))).toEqual(new Set([0xabcde040n]));
  });
});

describe("faults-4k: the trace against the raw records", () => {
  test.each(faults.filter((t) => t.trace.length > 0 && t.events.length > 0))("$name", (t) => {
    const raw = t.events.map((hex) => decodeEvent(wordsOf(hex)));
    const traced = eventsOf(t.trace.join("\n"));
    expect(traced.length).toBeGreaterThan(0);
    expect(new Set(traced.map((e) => e.event))).toEqual(new Set(raw.map((e) => e.event)));
    for (const e of traced) expect(e.sid).toBe(raw[0].sid);
    const ptes = t.trace.some((l) => l.startsWith("smmu_ptw_"));
    if (ptes && traced[0].event === "F_TRANSLATION" && traced[0].walk !== undefined) {
      const last = traced[0].walk[traced[0].walk.length - 1];
      expect(t.trace.join("\n")).toContain(`pte=0x${last.value.toString(16)}`);
    }
  });

  test("an abort without an event is told", () => {
    const silent = faults.find((t) => t.name === "ste-abort");
    const { records } = decodeLog(silent?.trace.join("\n") ?? "");
    expect(records[0]).toMatchObject({ kind: "log", fault: true });
    expect(records[0].hints.map((h) => h.id)).toContain("silent-abort");
  });
});

/** The entry of a kind that a test wrote into memory. */
function poked(t: FaultTest, kind: "ste" | "cd"): bigint[] | undefined {
  const stream = manifest.streams.find((s) => s.sid === t.sid);
  const address = kind === "ste" ? stream?.ste_addr : stream?.cd_addr;
  const poke = (t.pokes ?? []).find(([a, bytes]) => Number(a) === address && bytes.length === 128);
  return poke === undefined ? undefined : wordsOf(poke[1]);
}

const gives = (t: FaultTest, event: string): boolean =>
  t.events.some((hex) => decodeEvent(wordsOf(hex)).event === event);

/** QEMU refuses S1CDMax>0 without substreams; the architecture ignores the field there (5.2). */
const DIFFERENT = new Set(["ste-s1cdmax3"]);

describe("faults-4k: legality against what QEMU did with the entry", () => {
  const cds = faults.filter((t) => poked(t, "cd") !== undefined && !DIFFERENT.has(t.name));
  const stes = faults.filter((t) => poked(t, "ste") !== undefined && !DIFFERENT.has(t.name));

  test("the capture has enough of them", () => {
    expect(cds.length).toBeGreaterThan(40);
    expect(stes.length).toBeGreaterThan(12);
  });

  test.each(cds)("CD of $name", (t) => {
    const r = decodeStructure("CD", poked(t, "cd") ?? [], {
      options: { idr: regs },
      ste: [0xbn, 0xd6n, 0n, 0n, 0n, 0n, 0n, 0n],
    });
    const bad = gives(t, "C_BAD_CD");
    expect([r.legality, r.illegal, r.undecided]).toEqual([
      bad ? expect.stringMatching(/illegal|invalid/) : "legal",
      bad ? expect.anything() : [],
      [],
    ]);
  });

  test.each(stes)("STE of $name", (t) => {
    const r = decodeStructure("STE", poked(t, "ste") ?? [], { options: { idr: regs } });
    const bad = gives(t, "C_BAD_STE");
    expect([r.legality, r.illegal, r.undecided]).toEqual([
      bad ? expect.stringMatching(/illegal|invalid/) : "legal",
      bad ? expect.anything() : [],
      [],
    ]);
  });

  test("each refused CD names the rule its test is named after", () => {
    const rule = (name: string): string[] => {
      const t = faults.find((x) => x.name === name) as FaultTest;
      const r = decodeStructure("CD", poked(t, "cd") ?? [], { options: { idr: regs } });
      return r.illegal.map((v) => v.rule);
    };
    expect(rule("cd-tsz15")).toContain("cd-t0sz");
    expect(rule("cd-tsz40")).toContain("cd-t0sz");
    expect(rule("cd-tg3")).toContain("cd-tg0");
    expect(rule("cd-endi")).toContain("cd-endi");
    expect(rule("cd-aa64-0")).toContain("cd-aa64");
    expect(rule("cd-A0")).toContain("cd-a");
    expect(rule("cd-HA1")).toContain("cd-ha");
    expect(rule("cd-HD1")).toContain("cd-hd");
    expect(rule("cd-S1")).toContain("cd-s-terminate");
    expect(rule("cd-ttb-above-oas")).toContain("cd-ttb0");
  });
});

describe("other captures", () => {
  const names = ["s1-4k-strict-nobg", "s1-16k-strict", "s2only-4k-strict", "passthrough-4k"];

  test.each(names)("%s: every entry the kernel wrote is legal", (name) => {
    const m = JSON.parse(captureText(`${name}/manifest.json`)) as typeof manifest;
    const options = { idr: m.smmu[0].regs };
    expect(m.streams.length).toBeGreaterThan(5);
    for (const s of m.streams) {
      const ste = s.ste.map(BigInt);
      expect(decodeStructure("STE", ste, { options }).legality).toBe("legal");
      if (s.cd === undefined) continue;
      const cd = decodeStructure("CD", s.cd.map(BigInt), { options, ste });
      expect([cd.legality, cd.illegal]).toEqual(["legal", []]);
    }
  });

  test("s1-4k-strict-nobg: commands decode to the names that QEMU printed", () => {
    const seen = new Map<string, string>();
    for (const line of captureText("s1-4k-strict-nobg/replay.jsonl.gz").split("\n")) {
      if (!line.includes('"cmd"')) continue;
      const op = JSON.parse(line) as { cmd?: unknown; t?: string; name?: string; raw?: string };
      if (op.raw !== undefined && op.name !== undefined) seen.set(op.raw, op.name);
    }
    expect(seen.size).toBeGreaterThan(50);
    for (const [raw, name] of seen) {
      const r = decodeCommand(wordsOf(raw), { idr: regs });
      expect(r.command.replace("CMD_", "")).toBe(name.replace(/^(SMMU_)?CMD_/, ""));
      expect([r.fault, r.complete]).toEqual([false, true]);
      expect(r.fields.filter((f) => f.kind === "reserved")).toEqual([]);
    }
  });

  test("faults-4k: leaf descriptors decode to the output and size of the mapping", () => {
    let count = 0;
    for (const line of captureText("faults-4k/maps.jsonl.gz").split("\n").slice(0, 200)) {
      if (line === "") continue;
      const [, , stage, , out, size, , pte] = JSON.parse(line) as [
        number,
        number,
        number,
        ...string[],
      ];
      const level = Number(size) === 0x1000 ? 3 : Number(size) === 0x200000 ? 2 : 1;
      if (![0x1000, 0x200000, 0x40000000].includes(Number(size)) || stage > 2) continue;
      const r = decodeDescriptor(BigInt(pte), { stage: stage === 2 ? 2 : 1, granule: "4K", level });
      expect(r.readings[0].address).toBe(BigInt(out));
      expect(r.readings[0].size).toBe(BigInt(size));
      count++;
    }
    expect(count).toBeGreaterThan(50);
  });

  test("l1-accel-uefi: the VMM's trace shows the vSTEs it asked the host to install", () => {
    const { records, trace, understood } = decodeLog(captureText("l1-accel-uefi/vmm-trace.txt.gz"));
    const vstes = records.filter((r): r is StructureRecord => r.kind === "structure");
    expect(understood).toBe(true);
    expect(vstes.length).toBeGreaterThan(0);
    for (const r of vstes) expect(r.vste).toMatchObject({ accepted: true });
    expect(vstes[0]).toMatchObject({ owner: "vSID 0x8", words: [0x4086100bn, 0xd6n] });
    expect(Object.values(trace).reduce((a, b) => a + b, 0)).toBeGreaterThan(50);
    const idr0 = records.find((r) => r.kind === "register" && r.register === "IDR0");
    expect(idr0).toMatchObject({ access: "read", value: 0xd44101an });
  });

  test("l1-accel-uefi: the guest's log, stage by stage", () => {
    const events = eventsOf(captureText("l1-accel-uefi/guest-dmesg.txt"));
    expect(events.length).toBeGreaterThanOrEqual(3);
    expect(events[0]).toMatchObject({
      sid: 0x18,
      iova: 0x1000n,
      direction: "read",
      client: "0000:00:03.0",
    });
  });
});
