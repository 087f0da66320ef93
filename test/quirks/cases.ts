// One program for each difference between the architecture and QEMU, with both outcomes.
import type { QuirkCase } from "./case-parts.ts";
import { ENTRY_CASES } from "./cases-entry.ts";
import { WALK_CASES } from "./cases-walk.ts";

export const CASES: QuirkCase[] = [...WALK_CASES, ...ENTRY_CASES];
