// The trace of one operation as steps that a person can read.
import { getNarrow, getWide } from "../spec/abi.ts";
import { TRACE, TRACE_FLAG, TRACE_KIND } from "../spec/abi-records.ts";
import { CD } from "../spec/cd.ts";
import { S1LEAF, S1TABLE } from "../spec/descriptor.ts";
import { codeOf } from "../spec/field.ts";
import { L1STD, STE } from "../spec/ste.ts";
import { getField } from "../spec/word.ts";
import type { HostMemory } from "./memory.ts";
import type { Step, StepWhat } from "./types.ts";

/** Records kept for one operation (assembly/state.ts). */
const TRACE_CAPACITY = 512;
const LAST_LEVEL = 3;
const HIT = codeOf(TRACE_FLAG, "HIT");
const UNBACKED = codeOf(TRACE_FLAG, "UNBACKED");

const hex = (value: bigint): string => `0x${value.toString(16)}`;

function pteVerdict(level: number, word: bigint): string {
  const words = [word];
  if (getField(S1LEAF, words, "valid") === 0n) return "invalid";
  const isTable = getField(S1LEAF, words, "type") === 1n;
  if (level === LAST_LEVEL)
    return isTable ? `page ${hex(getField(S1LEAF, words, "OA"))}` : "invalid";
  if (isTable) return `table ${hex(getField(S1TABLE, words, "NLTA"))}`;
  return `block ${hex(getField(S1LEAF, words, "OA"))}`;
}

function verdictOf(what: StepWhat, step: Omit<Step, "verdict">): string {
  if (step.unbacked) return "external abort: nothing is mapped at this address";
  const words = [step.value];
  switch (what) {
    case "pte":
      return pteVerdict(step.level, step.value);
    case "l1std":
      return (
        `span ${getField(L1STD, words, "Span")}, ` +
        `STEs at ${hex(getField(L1STD, words, "L2Ptr"))}`
      );
    case "ste": {
      if (getField(STE, words, "V") === 0n) return "not valid";
      const config = Number(getField(STE, words, "Config"));
      return `Config ${STE.field.Config.values?.[config] ?? config}`;
    }
    case "cd":
      return getField(CD, words, "V") === 0n ? "not valid" : `ASID ${getField(CD, words, "ASID")}`;
    case "config-lookup":
    case "iotlb-lookup":
      return step.hit ? "hit" : "miss";
    default:
      return "";
  }
}

/** Steps of the last traced operation. */
export function readSteps(memory: HostMemory, at: number, count: number): Step[] {
  const view = memory.view();
  const steps: Step[] = [];
  for (let i = 0; i < Math.min(count, TRACE_CAPACITY); i++) {
    const base = at + i * TRACE.bytes;
    const narrow = (name: "what" | "stage" | "level" | "flags" | "asid" | "vmid" | "aux") =>
      getNarrow(TRACE, view, base, name);
    const kind = TRACE_KIND.values[narrow("what")] ?? "";
    const what = kind.toLowerCase().replaceAll("_", "-") as StepWhat;
    const flags = narrow("flags");
    const step = {
      what,
      stage: narrow("stage"),
      level: (narrow("level") << 24) >> 24,
      address: getWide(TRACE, view, base, "address"),
      value: getWide(TRACE, view, base, "value"),
      hit: (flags & HIT) !== 0,
      unbacked: (flags & UNBACKED) !== 0,
      asid: narrow("asid"),
      vmid: narrow("vmid"),
      aux: narrow("aux"),
    };
    steps.push({ ...step, verdict: verdictOf(what, step) });
  }
  return steps;
}
