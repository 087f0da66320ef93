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
