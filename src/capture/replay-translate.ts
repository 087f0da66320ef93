// Compares one recorded translation with what the engine did: lookups, reads, inserts, answer.

import type { Int } from "./json.ts";
import type { TranslationOp } from "./replay-ops.ts";
import type { EngineAnswer, ReplaySmmu } from "./replay-smmu.ts";
import { TRACE_FLAG, TRACE_KIND, type TraceView } from "./trace-view.ts";

/** What differs, as two texts. */
export interface Difference {
  expected: string;
  got: string;
}

/**
 * Compares everything that the line says with the engine's trace and answer.
 * @param exactTables also compare TTs and OAS of a decoded CD: memory is known in full
 */
export function compareExact(
  x: TranslationOp,
  smmu: ReplaySmmu,
  exactTables: boolean,
): Difference | undefined {
  const { answer } = smmu;
  if (!answerMatches(x, answer)) return describe("answer", expectedAnswer(x), gotAnswer(answer));
  if (x.evr !== undefined && x.evr !== answer.record()) {
    return describe("record", x.evr, answer.record());
  }
  // A line without an address fixes the event type, the StreamID and the record only.
  if (x.iova === undefined) return undefined;
  if (stepsMatch(x, smmu.trace, smmu.traceCount(), exactTables)) return undefined;
  return { expected: expectedSteps(x, exactTables), got: gotSteps(x, smmu, exactTables) };
}

/** Compares only what the architecture fixes: outcome, address, stage; event type and StreamID. */
export function compareOutcome(x: TranslationOp, smmu: ReplaySmmu): Difference | undefined {
  const { answer } = smmu;
  if (answer.outcome !== x.res) return describe("answer", expectedAnswer(x), gotAnswer(answer));
  if (x.res === "ok" && !answer.paIs(x.pa ?? 0)) {
    return describe("answer", expectedAnswer(x), gotAnswer(answer));
  }
  if (x.evr !== undefined && x.evr.slice(0, 16) !== answer.record().slice(0, 16)) {
    return describe("record", x.evr, answer.record());
  }
  return undefined;
}

function answerMatches(x: TranslationOp, answer: EngineAnswer): boolean {
  if (answer.outcome !== x.res) return false;
  if (x.res !== "ok") return true;
  return (
    answer.paIs(x.pa ?? -1) && answer.perm === x.perm && answer.stage === (x.stage ?? answer.stage)
  );
}

function stepsMatch(x: TranslationOp, t: TraceView, count: number, exactTables: boolean): boolean {
  const lk = x.lk ?? [];
  const pte = x.pte ?? [];
  const ins = x.ins ?? [];
  let nLk = 0;
  let nPte = 0;
  let nIns = 0;
  let nTt = 0;
  let hit = -1;
  for (let i = 0; i < count; i++) {
    switch (t.what(i)) {
      case TRACE_KIND.PTE: {
        if (t.flags(i) & TRACE_FLAG.UNBACKED) break;
        const e = pte[nPte++];
        if (e === undefined || !t.addressIs(i, e[0]) || !t.valueIs(i, e[1])) return false;
        break;
      }
      case TRACE_KIND.IOTLB_LOOKUP: {
        const e = lk[nLk++];
        if (e === undefined || e[0] !== t.asid(i) || e[1] !== t.vmid(i)) return false;
        if (e[3] !== (t.flags(i) & TRACE_FLAG.HIT) || !t.addressIs(i, e[2])) return false;
        break;
      }
      case TRACE_KIND.IOTLB_INSERT: {
        const e = ins[nIns++];
        if (e === undefined || e[0] !== t.asid(i) || e[1] !== t.vmid(i)) return false;
        if (e[3] !== t.aux(i) || e[4] !== t.level(i) || !t.addressIs(i, e[2])) return false;
        break;
      }
      case TRACE_KIND.CONFIG_LOOKUP:
        hit = t.flags(i) & TRACE_FLAG.HIT;
        break;
      case TRACE_KIND.STE:
        if (x.ste !== undefined && !t.addressIs(i, x.ste)) return false;
        break;
      case TRACE_KIND.CD:
        if (x.cd === undefined || !t.addressIs(i, x.cd)) return false;
        break;
      case TRACE_KIND.TT:
        if (exactTables && !tableMatches(x, t, i)) return false;
        nTt++;
        break;
    }
  }
  if (hit >= 0 && hit !== x.cfg) return false;
  if (exactTables && nTt !== (x.tt?.length ?? 0)) return false;
  return nLk === lk.length && nPte === pte.length && nIns === ins.length;
}

function tableMatches(x: TranslationOp, t: TraceView, i: number): boolean {
  const half = t.stage(i);
  const row = x.tt?.find((r) => r[0] === half);
  return row !== undefined && t.level(i) === row[1] && t.addressIs(i, row[2]);
}

function describe(what: string, expected: string, got: string): Difference {
  return { expected: `${what} ${expected}`, got: `${what} ${got}` };
}

function expectedAnswer(x: TranslationOp): string {
  if (x.res === "ok") return `ok pa ${hexInt(x.pa)} perm ${x.perm} stage ${x.stage}`;
  return x.ev === undefined ? x.res : `${x.res} ${x.ev.replace("SMMU_EVT_", "")}`;
}

function gotAnswer(a: EngineAnswer): string {
  if (a.outcome === "ok") return `ok pa ${hexInt(a.pa())} perm ${a.perm} stage ${a.stage}`;
  return a.outcome === "event" ? `event ${a.eventName()} ${a.record()}` : a.outcome;
}

function expectedSteps(x: TranslationOp, exactTables: boolean): string {
  const parts = [`cfg ${x.cfg}`];
  if (x.ste !== undefined) parts.push(`ste ${hexInt(x.ste)}`);
  if (x.cd !== undefined) parts.push(`cd ${hexInt(x.cd)}`);
  if (exactTables) for (const r of x.tt ?? []) parts.push(`tt${r[0]} ${r[1]} ${hexInt(r[2])}`);
  const rows = <T>(name: string, list: T[] | undefined, text: (row: T) => string) =>
    list?.length ? parts.push(`${name} ${list.map(text).join(" ")}`) : 0;
  rows("lk", x.lk, (r) => `${r[0]}/${r[1]}@${hexInt(r[2])}=${r[3]}`);
  rows("pte", x.pte, (r) => `${hexInt(r[0])}:${hexInt(r[1])}`);
  rows("ins", x.ins, (r) => `${r[0]}/${r[1]}@${hexInt(r[2])} tg ${r[3]} level ${r[4]}`);
  return parts.join("; ");
}

function gotSteps(x: TranslationOp, smmu: ReplaySmmu, exactTables: boolean): string {
  const { trace: t } = smmu;
  const got: TranslationOp = { ...x, ste: undefined, cd: undefined, lk: [], pte: [], ins: [] };
  got.tt = [];
  const count = smmu.traceCount();
  for (let i = 0; i < count; i++) {
    const key = [t.asid(i), t.vmid(i), t.address(i)] as [number, number, Int];
    switch (t.what(i)) {
      case TRACE_KIND.CONFIG_LOOKUP:
        got.cfg = t.flags(i) & TRACE_FLAG.HIT;
        break;
      case TRACE_KIND.STE:
        got.ste = t.address(i);
        break;
      case TRACE_KIND.CD:
        got.cd = t.address(i);
        break;
      case TRACE_KIND.TT:
        got.tt.push([t.stage(i), t.level(i), t.address(i), 0, 0]);
        break;
      case TRACE_KIND.IOTLB_LOOKUP:
        got.lk?.push([...key, t.flags(i) & TRACE_FLAG.HIT]);
        break;
      case TRACE_KIND.IOTLB_INSERT:
        got.ins?.push([...key, t.aux(i), t.level(i)]);
        break;
      case TRACE_KIND.PTE:
        got.pte?.push([t.address(i), t.value(i)]);
        break;
    }
  }
  return expectedSteps(got, exactTables);
}

function hexInt(value: Int | undefined): string {
  return value === undefined ? "none" : `0x${value.toString(16)}`;
}
