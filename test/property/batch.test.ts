// Rings against single translations: the same requests, the same answers, the same records.
import { expect, test } from "vitest";
import type { BatchAnswer, BatchRing } from "../../src/engine/batch.ts";
import type { Translation } from "../../src/engine/types.ts";
import { type GeneratedCase, randomCase } from "./generate.ts";
import { Draw, Prng } from "./source.ts";
import { Subject } from "./subject.ts";

const CASES = 2000;
/** As many requests as one run may hold; more than the lanes of an interleaved walk. */
const CAPACITY = 48;

/** What a single translation and a ring answer both tell, as one line of text. */
function summarize(a: BatchAnswer): string {
  const { status, pa, pageBits, perm, stage, memAttr, shareability, eventType } = a;
  if (status !== "ok" && status !== "bypass") return `${status} ${eventType}`;
  return [status, pa.toString(16), pageBits, perm, stage, memAttr, shareability].join(" ");
}

/** A single translation as a ring would answer it. */
function ofTranslation(t: Translation): BatchAnswer {
  return {
    status: t.status,
    pa: t.pa ?? 0n,
    pageBits: t.size === undefined ? 0 : t.size.toString(2).length - 1,
    perm: t.perm ?? 0,
    stage: t.stage ?? 0,
    memAttr: t.attributes?.memAttr ?? 0,
    shareability: t.attributes?.shareability ?? 0,
    eventType: t.event?.type ?? 0,
    eventIndex: 0,
  };
}

/** The requests of a case, over and over in random order. */
function drawRing(draw: Draw, c: GeneratedCase): GeneratedCase["requests"] {
  const count = draw.between(1, CAPACITY);
  return Array.from({ length: count }, () => {
    const request = { ...draw.pick(c.requests) };
    if (draw.chance(50)) request.iova ^= BigInt(draw.below(0x4000));
    return request;
  });
}

/** Runs a ring and gives its answers with the records of the queue. */
function runRing(subject: Subject, ring: BatchRing, requests: GeneratedCase["requests"]) {
  requests.forEach((request, i) => {
    ring.set(i, request);
  });
  ring.run(requests.length);
  return requests.map((_, i) => {
    const answer = ring.get(i);
    return { answer, record: subject.record(answer.eventIndex) };
  });
}

test.each([
  ["arch", "none"],
  ["arch", "fast"],
  ["qemu", "qemu"],
] as const)("%s, %s: rings answer as single translations do", async (mode, cache) => {
  const single = await Subject.create(mode, cache);
  const batch = await Subject.create(mode, cache, 6);
  const ring = batch.smmu.ring(CAPACITY);
  const statuses = new Set<string>();
  for (let seed = 1; seed <= CASES; seed++) {
    const c = randomCase(seed, mode === "qemu" ? { target: "qemu" } : { mixedEndian: true });
    const requests = drawRing(new Draw(new Prng(seed)), c);
    single.load(c);
    batch.load(c);
    const answers = runRing(batch, ring, requests);
    requests.forEach((request, i) => {
      const wanted = single.translate(request);
      const { answer, record } = answers[i];
      const pair = [summarize(ofTranslation(wanted)), summarize(answer)];
      if (wanted.event?.recorded) {
        pair[0] += Buffer.from(wanted.event.record).toString("hex");
        pair[1] += Buffer.from(record).toString("hex");
      }
      if (pair[0] !== pair[1]) expect.fail(`seed ${seed}, request ${i}: ${pair.join("\n")}`);
      statuses.add(answer.status);
    });
  }
  const both = ["ok", "bypass", "abort", "event", "silent"];
  expect([...statuses]).toEqual(expect.arrayContaining(both));
});
