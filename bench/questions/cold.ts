// Question: what does a translation cost when neither the IOTLB nor the processor has seen its
// tables?

import { atLeast, atMost, type Effort, type Question, share } from "../question.ts";
import { COLD_TABLES, dense, sparse } from "../world/cases.ts";
import { contests, type Measure, type Versus } from "./contest.ts";

/** Whom every case meets; `serial` is the target beside C one by one. */
const against = (serial: number): Versus[] => [
  { rival: "serial", target: atLeast(serial) },
  { rival: "batch", target: atMost(1.2) },
  { rival: "qemu" },
  { rival: "bigint", target: atLeast(30) },
  { rival: "uint32", target: atLeast(10) },
];

const tablesOf = (effort: Effort): number => share(effort, COLD_TABLES);

const MEASURES: Measure[] = [
  {
    make: (passes, effort) => dense(false, passes, tablesOf(effort)),
    // What larger pages of the host would give to C; WebAssembly has no way to ask for them.
    versus: [...against(4.5), { rival: "huge" }],
  },
  { make: (passes, effort) => sparse(passes, tablesOf(effort)), versus: against(7) },
  { make: (passes, effort) => dense(true, passes, tablesOf(effort)), versus: against(4.5) },
];

export const question: Question = {
  name: "cold",
  title: "Translations whose tables are cold: 65,536 last tables, each descriptor touched once",
  run: (effort) => contests(MEASURES, effort),
};
