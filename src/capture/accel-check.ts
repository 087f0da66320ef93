// Compares the system calls and routing tables of a whole run with the log of a VMM.
import { packRoute } from "../kvm/route.ts";
import { IrqRoutingTable } from "../kvm/routing.ts";
import {
  compareCalls,
  isRequired,
  type LoggedCall,
  type LoggedRouting,
  type ModelCall,
} from "./accel-calls.ts";
import { type Item, itemOfLine, itemOfNote } from "./accel-items.ts";
import { ACCEL_TALLIES } from "./accel-report.ts";
import type { Note } from "./accel-rig.ts";
import type { Action } from "./accel-trace.ts";
import type { ReportBuilder } from "./replay-report.ts";

/**
 * Calls that the model had to make, in order. The log may go on after the trace ended, so what the
 * model did not get to is not compared.
 */
export function checkCalls(
  log: readonly LoggedCall[],
  made: readonly ModelCall[],
  file: string,
  report: ReportBuilder,
): void {
  const logged = log.filter(({ io }) => isRequired(io));
  const own = made.filter(({ io }) => isRequired(io));
  for (let i = 0; i < Math.min(logged.length, own.length); i++) {
    const { line, io } = logged[i];
    const tally = io === "IOMMU_HWPT_INVALIDATE" ? "invalidations" : "calls";
    const differs = compareCalls(logged[i], own[i]);
    report.checkAccel(tally, { file, line, what: `call ${i}: ${io}` }, differs);
  }
}

/** What the lines of an action tell, against what the model noted while it was performed. */
export function checkAction(
  action: Action,
  notes: readonly Note[],
  file: string,
  report: ReportBuilder,
): void {
  const got = notes.flatMap((note) => itemOfNote(note) ?? []);
  const expected = [...ownItem(action), ...action.effects.flatMap((l) => itemOfLine(l) ?? [])];
  const check = (want: Item | undefined, have: Item | undefined): boolean => {
    const { tally } = (want ?? have) as Item;
    const line = want?.line ?? action.line;
    const differs = { expected: want?.text ?? "nothing", got: have?.text ?? "nothing" };
    const same = want?.text === have?.text;
    report.checkAccel(tally, { file, line, what: action.kind }, same ? undefined : differs);
    return same;
  };
  const inOrder = expected.every((item, i) => item.text === got[i]?.text);
  let same = true;
  for (const tally of ACCEL_TALLIES) {
    const want = expected.filter((item) => item.tally === tally);
    const have = got.filter((item) => item.tally === tally);
    for (let i = 0; i < Math.max(want.length, have.length); i++)
      same = check(want[i], have[i]) && same;
  }
  // All acts are there, but not in this order.
  if (same && !inOrder) {
    const at = expected.findIndex((item, i) => item.text !== got[i]?.text);
    check(expected[at], { ...expected[at], text: `${got[at]?.text} comes first` });
  }
}

/** Acts that the line of an action itself tells. */
function ownItem(action: Action): Item[] {
  if (action.kind === "commit") return [{ tally: "routes", text: "commit", line: action.line }];
  if (action.kind !== "release") return [];
  const text = `${action.bdf} vector ${action.vector} released`;
  return [{ tally: "vectors", text, line: action.line }];
}

const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");

/** Routing tables in order: number of entries, and the 48 bytes of each message entry. */
export function checkRoutings(
  log: readonly LoggedRouting[],
  made: readonly Uint8Array[],
  file: string,
  report: ReportBuilder,
): void {
  for (let i = 0; i < Math.min(log.length, made.length); i++) {
    const table = new IrqRoutingTable();
    table.set(made[i]);
    const messages = table.routes().filter(({ type }) => type === "msi");
    const own = messages.map((route) => hex(packRoute(route)));
    const { nr, entries, line } = log[i];
    const expected = `${nr} entries: ${entries.join(" ")}`;
    const got = `${table.size} entries: ${own.join(" ")}`;
    const what = `KVM_SET_GSI_ROUTING ${i}`;
    const differs = expected === got ? undefined : { expected, got };
    report.checkAccel("routes", { file, line, what }, differs);
  }
}
