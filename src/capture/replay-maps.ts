// Checks the list of mappings: the image holds exactly these leaves, and the engine finds each.

import { CD } from "../spec/cd.ts";
import { STE } from "../spec/ste.ts";
import { getField, setField } from "../spec/word.ts";
import { Field } from "./field.ts";
import { parseLine, readLines } from "./lists.ts";
import type { SmmuState } from "./manifest.ts";
import type { ReplayMemory } from "./replay-memory.ts";
import type { Mismatch, ReportBuilder } from "./replay-report.ts";
import type { ReplaySmmu } from "./replay-smmu.ts";
import { readStream, type Stream, steAddresses } from "./streams.ts";
import type { StageTables } from "./tables.ts";
import { accessBits, accessFlag, findLeaf, type Leaf, leaves, resolve } from "./tables.ts";

/** One line of the list. */
interface MapLine {
  line: number;
  out: bigint;
  bytes: bigint;
  access: number;
  pte: bigint;
}

/** What the check needs. */
export interface MapsJob {
  file: string;
  bytes: Uint8Array;
  smmus: SmmuState[];
  memory: ReplayMemory;
  /** An engine over `memory` in the state of the stop, by SMMU index. */
  engine(index: number): Promise<ReplaySmmu>;
  /** The same with the architecture's rules: for tables that QEMU walks differently. */
  architectural(index: number): Promise<ReplaySmmu>;
  report: ReportBuilder;
}

const OAS_BITS = [32, 36, 40, 42, 44, 48, 52, 56];

/** Runs the check. */
export async function checkMaps(job: MapsJob): Promise<void> {
  const lines = await readMapLines(job);
  const read = (pa: bigint) => job.memory.read(pa);
  for (const [index, state] of job.smmus.entries()) {
    for (const [sid, address] of steAddresses(state.regs, read)) {
      const stream = readStream(sid, address, read);
      if (!stream || (stream.config & 4) === 0) continue;
      await new StreamMaps(job, lines, index, stream).check();
    }
  }
  for (const [key, line] of lines) {
    job.report.mismatch({
      ...place(job, line.line, key),
      expected: describeLine(line),
      got: "no such leaf in the image",
    });
  }
}

/** The leaves of one stream against the lines about it; what is checked leaves `lines`. */
class StreamMaps {
  readonly #job: MapsJob;
  readonly #lines: Map<string, MapLine>;
  readonly #index: number;
  readonly #stream: Stream;

  constructor(job: MapsJob, lines: Map<string, MapLine>, index: number, stream: Stream) {
    this.#job = job;
    this.#lines = lines;
    this.#index = index;
    this.#stream = stream;
  }

  async check(): Promise<void> {
    const { stage1, stage2, config, cd } = this.#stream;
    const read = (pa: bigint) => this.#job.memory.read(pa);
    const locate = stage2 ? (ipa: bigint) => resolve(stage2, ipa, read) : undefined;
    for (const tables of stage1) {
      for (const leaf of leaves(tables, read, locate)) await this.#leaf(tables, leaf);
      await this.#rest(tables, locate);
    }
    // Stage 2 of a nested stream whose CD cannot be fetched belongs to nobody.
    if (!stage2 || (config === 7 && cd === undefined)) return;
    for (const leaf of leaves(stage2, read)) await this.#leaf(stage2, leaf);
    await this.#rest(stage2);
  }

  /** Lines that the enumeration did not reach: a start table larger than the legal maximum. */
  async #rest(tables: StageTables, locate?: (a: bigint) => bigint | undefined): Promise<void> {
    const prefix = `${this.#index} ${this.#stream.sid} ${tables.stage} `;
    const read = (pa: bigint) => this.#job.memory.read(pa);
    for (const key of [...this.#lines.keys()].filter((k) => k.startsWith(prefix))) {
      const leaf = findLeaf(tables, BigInt(key.slice(prefix.length)), read, locate);
      if (leaf && this.#key(tables, leaf) === key) await this.#leaf(tables, leaf);
    }
  }

  #key(tables: StageTables, leaf: Leaf): string {
    return `${this.#index} ${this.#stream.sid} ${tables.stage} 0x${leaf.va.toString(16)}`;
  }

  async #leaf(tables: StageTables, leaf: Leaf): Promise<void> {
    const { report } = this.#job;
    const key = this.#key(tables, leaf);
    const line = this.#lines.get(key);
    const found = describeLine({ ...leaf, access: accessBits(leaf.pte) });
    if (!line) {
      report.complain({ ...place(this.#job, null, key), expected: "no leaf", got: found });
      return;
    }
    this.#lines.delete(key);
    const expected = describeLine(line);
    if (expected !== found) {
      report.mismatch({ ...place(this.#job, line.line, key), expected, got: found });
      return;
    }
    const got = await this.#translate(tables, leaf);
    if (got === undefined) report.match("maps");
    else report.mismatch({ ...place(this.#job, line.line, key), expected, got });
  }

  /** Sends the leaf's first address through the engine; undefined when the answer is right. */
  async #translate(tables: StageTables, leaf: Leaf): Promise<string | undefined> {
    const engine = await this.#job.engine(this.#index);
    const first = this.#ask(engine, tables, leaf);
    if (first === undefined || engine.compat === "arch") return first;
    const again = this.#ask(await this.#job.architectural(this.#index), tables, leaf);
    if (again === undefined) this.#job.report.note("some leaves are reached by no QEMU walk");
    return again === undefined ? undefined : first;
  }

  #ask(engine: ReplaySmmu, tables: StageTables, leaf: Leaf): string | undefined {
    const nested = this.#stream.config === 7;
    if (nested && tables.stage === 2) return this.#askStage2(engine, leaf);
    const { stage2 } = this.#stream;
    const read = (pa: bigint) => this.#job.memory.read(pa);
    const final = nested && stage2 ? findLeaf(stage2, leaf.out, read) : undefined;
    const pa = final ? final.out + (leaf.out & (final.bytes - 1n)) : leaf.out;
    const limits = final ? [leaf, final] : [leaf];
    const writeOnly = tables.stage === 2 ? accessBits(leaf.pte) === 2 : false;
    const finalWriteOnly = final !== undefined && accessBits(final.pte) === 2;
    const { answer } = engine;
    // APTable may take unprivileged access away above the leaf.
    for (const privileged of tables.stage === 1 ? [false, true] : [false]) {
      const access = { write: writeOnly || finalWriteOnly, privileged };
      engine.translate(this.#stream.sid, leaf.va, access);
      if (answer.outcome !== "event" || answer.eventName() !== "F_PERMISSION") break;
    }
    if (answer.outcome === "ok" && answer.pa() === pa && (!nested || final)) return undefined;
    if (nested && !final && this.#stage2Fault(engine, leaf)) return undefined;
    return this.#explains(engine, limits) ? undefined : describeAnswer(engine);
  }

  /** Stage 2 alone: the same STE with Config 6 for one request. */
  #askStage2(engine: ReplaySmmu, leaf: Leaf): string | undefined {
    const { steAddress, ste, sid } = this.#stream;
    const alone = setField(STE, [...ste], "Config", 6);
    this.#job.memory.writeWords(Number(steAddress), alone);
    engine.forget();
    engine.translate(sid, leaf.va, { write: accessBits(leaf.pte) === 2 });
    const right = engine.answer.outcome === "ok" && engine.answer.pa() === leaf.out;
    const got = right || this.#explains(engine, [leaf]) ? undefined : describeAnswer(engine);
    this.#job.memory.writeWords(Number(steAddress), [...ste]);
    engine.forget();
    return got;
  }

  /** A stage 2 fault that names the leaf's output as its IPA proves that stage 1 led there. */
  #stage2Fault(engine: ReplaySmmu, leaf: Leaf): boolean {
    const { answer } = engine;
    return (
      answer.outcome === "event" && answer.isStage2() && answer.ipa() >> 12n === leaf.out >> 12n
    );
  }

  /** Whether the leaves themselves make the fault that came right. */
  #explains(engine: ReplaySmmu, path: Leaf[]): boolean {
    const { answer } = engine;
    const { cd, ste } = this.#stream;
    if (answer.outcome === "silent") return cd !== undefined && getField(CD, cd, "R") === 0n;
    if (answer.outcome !== "event") return false;
    switch (answer.eventName()) {
      // An illegal STE or CD cannot be used: then only the image's own content counts.
      case "C_BAD_STE":
      case "C_BAD_CD":
        return true;
      case "F_ACCESS":
        return path.some((leaf) => !accessFlag(leaf.pte));
      case "F_PERMISSION":
        return path.some((leaf) => accessBits(leaf.pte) === 0);
      case "F_ADDR_SIZE": {
        const s1 = cd ? OAS_BITS[Number(getField(CD, cd, "IPS"))] : 64;
        const s2 = this.#stream.stage2 ? OAS_BITS[Number(getField(STE, ste, "S2PS"))] : 64;
        const bits = BigInt(Math.min(s1, s2, engine.oasBits));
        return path.some((leaf) => leaf.out >> bits !== 0n);
      }
      case "F_TRANSLATION":
        return engine.compat === "arch" && path.some((leaf) => leaf.level < 1);
      default:
        return false;
    }
  }
}

function describeAnswer(engine: ReplaySmmu): string {
  const { answer } = engine;
  if (answer.outcome === "ok") return `the engine gives 0x${answer.pa().toString(16)}`;
  const record = answer.outcome === "event" ? ` ${answer.eventName()} ${answer.record()}` : "";
  return `the engine gives ${answer.outcome}${record}`;
}

function describeLine(l: Omit<MapLine, "line">): string {
  return `out 0x${l.out.toString(16)} size ${l.bytes} ap ${l.access} pte 0x${l.pte.toString(16)}`;
}

function place(
  job: MapsJob,
  line: number | null,
  key: string,
): Pick<Mismatch, "kind" | "file" | "line" | "what"> {
  const [smmu, sid, stage, va] = key.split(" ");
  const what = `smmu ${smmu} sid 0x${Number(sid).toString(16)} stage ${stage} va ${va}`;
  return { kind: "maps", file: job.file, line, what };
}

async function readMapLines(job: MapsJob): Promise<Map<string, MapLine>> {
  const found = new Map<string, MapLine>();
  for await (const batch of readLines(job.bytes, job.file)) {
    for (const [i, text] of batch.lines.entries()) {
      const line = batch.first + i;
      if (text.trim() === "") continue;
      const row = new Field(job.file, parseLine(text, job.file, line), `line ${line}`).list();
      if (row.length < 8) {
        new Field(job.file, null, `line ${line}`).fail("must have 8 columns");
      }
      const [smmu, sid, stage, va, out, bytes, access, pte] = row.map((f) => f.u64());
      const key = `${smmu} ${sid} ${stage} 0x${va.toString(16)}`;
      const entry = { line, out, bytes, access: Number(access), pte };
      if (found.has(key)) {
        job.report.mismatch({
          ...place(job, line, key),
          expected: "one line for each leaf",
          got: "a second line",
        });
      } else found.set(key, entry);
    }
  }
  return found;
}
