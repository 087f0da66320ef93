// Picks the recorded vectors that the package carries from the recordings that the tests have.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { Op, RecordedProgram } from "../../src/conform/program.ts";
import { eventVector } from "../../src/vectors/entries.ts";
import { answerSteps, idOf } from "../../src/vectors/run.ts";
import type { EventVector, RunVector, Step, StepAnswer } from "../../src/vectors/types.ts";

const file = (path: string) => new URL(`../${path}`, import.meta.url);
const linesOf = (path: string): string[] =>
  gunzipSync(readFileSync(file(path)))
    .toString()
    .trim()
    .split("\n");
const wordsOfHex = (text: string): bigint[] => {
  const bytes = Buffer.from(text, "hex");
  return [0, 8, 16, 24].map((at) => bytes.readBigUInt64LE(at));
};

const QEMU = { provenance: "qemu-11.1" as const };
const PER_KIND = 3;
const PROGRAM_STEPS_MAX = 100;

/** Whether the engine alone gives these answers: then nothing outside the vector mattered. */
async function stands(vector: RunVector): Promise<boolean> {
  const answers = await answerSteps(vector.given, "qemu");
  return JSON.stringify(answers) === JSON.stringify(vector.expect.answers);
}

const write = (offset: string, value: string, bytes: 4 | 8 = 4): Step => ({
  do: "write",
  offset,
  value,
  bytes,
});
/** The set-up of a golden file. */
const GOLDEN: Step[] = [
  write("0x28", "0xd75"),
  write("0x2c", "0x2"),
  write("0x90", "0x4020000a", 8),
  write("0xa0", "0x4024000c", 8),
  write("0x88", "0x8"),
  write("0x80", "0x40100000", 8),
  write("0x20", "0xd"),
];

interface Golden {
  sid: number;
  iova: string;
  ste: string;
  cdA: string;
  cd: string;
  mem: [string, string][];
  t: null | { kind: string; pa?: string; perm?: string; stage?: number };
  ev: string[];
}

function goldenVector(c: Golden, id: string, source: string): RunVector {
  const hex = (value: bigint) => `0x${value.toString(16)}`;
  const entry = (at: bigint, text: string): [string, string][] =>
    (text.match(/.{16}/g) ?? []).map((word, i) => {
      const value = Buffer.from(word, "hex").readBigUInt64LE();
      return [hex(at + BigInt(i * 8)), hex(value)];
    });
  const memory = [
    ...entry(0x40100000n + BigInt(c.sid * 64), c.ste),
    ...entry(BigInt(c.cdA), c.cd),
    ...c.mem,
  ].filter(([, value]) => BigInt(value) !== 0n);
  const { t, ev: events } = c;
  let answer: StepAnswer = { outcome: "none", events };
  if (t?.kind === "success") {
    answer = { outcome: "ok", pa: t.pa, perm: Number(t.perm), stage: t.stage, events };
  } else if (t) answer = { outcome: t.kind as "bypass", events };
  const access: Step = { do: "access", streamId: c.sid, iova: c.iova, bytes: 4, write: true };
  return {
    id,
    kind: "translation",
    ...QEMU,
    source,
    given: { id: idOf(), memory, steps: [...GOLDEN, access] },
    expect: { answers: [...GOLDEN.map(() => null), answer] },
  };
}

async function translations(): Promise<RunVector[]> {
  const found = new Map<string, RunVector[]>();
  for (const [i, line] of linesOf("golden/qemu-11.1.3-varied.jsonl.gz").entries()) {
    const c = JSON.parse(line) as Golden;
    const kind = c.t ? `${c.t.kind}${c.t.stage ?? ""}` : (c.ev[0]?.slice(0, 2) ?? "silent");
    const list = found.get(kind) ?? [];
    found.set(kind, list);
    if (list.length === PER_KIND) continue;
    const vector = goldenVector(c, `qemu-${kind}-${list.length}`, `random configuration ${i}`);
    if (await stands(vector)) list.push(vector);
  }
  return [...found.values()].flat();
}

function stepOf(op: Op): Step {
  switch (op.op) {
    case "mem":
      return { do: "store", address: op.at, value: op.value };
    case "reg":
      return { do: "write", offset: op.at, value: op.value, bytes: op.size };
    case "get":
      return { do: "read", offset: op.at, bytes: op.size };
    case "dma": {
      const { sid: streamId, iova, bytes, write: isWrite } = op;
      return { do: "access", streamId, iova, bytes, write: isWrite };
    }
    case "transmit":
      throw new Error("a ring of descriptors is no step of a vector");
  }
}

function programAnswers({ program, record }: RecordedProgram): StepAnswer[] {
  let seen = 0;
  return program.ops.map((op, i): StepAnswer => {
    const answer = record.answers[i];
    if (op.op === "get") return answer as string;
    if (op.op !== "dma") return null;
    const { trace, prod } = answer as { trace: string[]; prod: string };
    const events: string[] = [];
    for (; seen < Number(BigInt(prod)); seen++) {
      events.push(record.events.slice(2 + seen * 64, 66 + seen * 64).padEnd(64, "0"));
    }
    const last = trace
      .filter((l) => /^(ok|bypass|abort|disabled)/.test(l))
      .pop()
      ?.split(" ");
    if (last?.[0] === "ok" && events.length === 0) {
      return { outcome: "ok", pa: last[1], perm: Number(last[2]), stage: Number(last[3]), events };
    }
    const outcome = last?.[0] === "disabled" ? "bypass" : (last?.[0] ?? "none");
    return { outcome: outcome as "none", events };
  });
}

async function programs(from: string, kind: RunVector["kind"], most: number) {
  const found: RunVector[] = [];
  for (const [i, line] of linesOf("golden/qemu-11.1.3-programs.jsonl.gz").entries()) {
    const recorded = JSON.parse(line) as RecordedProgram;
    const { program } = recorded;
    if (program.kind !== from || program.ops.length > PROGRAM_STEPS_MAX) continue;
    const vector: RunVector = {
      id: `qemu-${kind}-${found.length}`,
      kind,
      ...QEMU,
      source: `random program ${i}`,
      given: { id: idOf(), memory: program.memory, steps: program.ops.map(stepOf) },
      expect: { answers: programAnswers(recorded) },
    };
    const accesses = program.ops.filter((op) => op.op === "dma").length;
    if (accesses > 1 && (await stands(vector))) found.push(vector);
    if (found.length === most) break;
  }
  return found;
}

/** Records that a Linux guest's SMMU wrote: the first of each type and class. */
function linuxEvents(): EventVector[] {
  const found = new Map<string, EventVector>();
  for (const line of linesOf("captures/faults-4k/replay.jsonl.gz")) {
    const record = /"evr":"([0-9a-f]{64})"/.exec(line)?.[1];
    if (record === undefined) continue;
    const words = wordsOfHex(record);
    const key = `${words[0] % 256n}-${words[1]}`;
    const origin = { provenance: "linux capture" as const, source: "Linux 7.2, fault tests" };
    const vector = eventVector(`linux-${found.size}`, words, origin);
    if (vector && !found.has(key)) found.set(key, vector);
  }
  return [...found.values()].slice(0, 16);
}

/** Records that people's hardware wrote, as they reported them. */
function hardwareEvents(): EventVector[] {
  const records = JSON.parse(readFileSync(file("corpus/records.json"), "utf8")) as {
    src: string;
    w: string[];
  }[];
  return records
    .filter((r) => !/qemu/i.test(r.src))
    .flatMap((r, i) => {
      const origin = { provenance: "hardware record" as const, source: r.src };
      return eventVector(`hardware-${i}`, r.w.map(BigInt), origin) ?? [];
    });
}

/** All recorded vectors, in a fixed order. */
export async function recordedFromTests(): Promise<(RunVector | EventVector)[]> {
  return [
    ...(await translations()),
    ...(await programs("cache", "invalidation", 6)),
    ...(await programs("commands", "command-error", 6)),
    ...linuxEvents(),
    ...hardwareEvents(),
  ];
}
