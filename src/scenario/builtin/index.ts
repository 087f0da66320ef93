// All built-in scenarios, in the order in which they are listed.
import type { Scenario } from "../types.ts";
import * as doorbell from "./doorbell.ts";
import * as machine from "./machine.ts";
import * as tables from "./tables.ts";

export const BUILTIN_SCENARIOS: readonly Scenario[] = [
  doorbell.doorbellAfterReturn,
  doorbell.noSharedSpace,
  tables.passthroughWalk,
  doorbell.hostileMsi,
  tables.secondDeviceOnS2,
  tables.gbpaWhileEnabled,
  tables.tornSte,
  doorbell.msiGpaIts,
  doorbell.msiGpaV2m,
  doorbell.msiGpaNone,
  doorbell.msiRemap,
  doorbell.maskedVector,
  machine.hotPlug,
  machine.blockersScenario,
  doorbell.rcuExits,
  machine.untrappedVcmdq,
];

/** The built-in scenario of that name. */
export const findScenario = (name: string): Scenario | undefined =>
  BUILTIN_SCENARIOS.find((s) => s.name === name);
