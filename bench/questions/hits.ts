// Question: what does a translation cost that the caches hold?

import { atLeast, atMost, type Effort, type Question, share } from "../question.ts";
import { mixedStreams, RESIDENT_REQUESTS, resident } from "../world/cases.ts";
import { contests, type Measure, type Versus } from "./contest.ts";

const QEMU_NOTE =
  "QEMU's lock, tables and descriptor reads; no trace points, notifiers, region look-up";

/** Whom every case meets; `serial` and `qemu` are their targets. */
const against = (serial: number, qemu: number): Versus[] => [
  { rival: "serial", target: atMost(serial) },
  { rival: "batch", target: atMost(1.2) },
  { rival: "qemu", target: atLeast(qemu), note: QEMU_NOTE },
  { rival: "bigint", target: atLeast(25) },
  { rival: "uint32", target: atLeast(7) },
];

const requestsOf = (effort: Effort): number => share(effort, RESIDENT_REQUESTS);

const hits =
  (pages: number, nested: boolean): Measure["make"] =>
  (_passes, effort) =>
    resident(pages, nested, "fast", requestsOf(effort));

const MEASURES: Measure[] = [
  { make: hits(256, false), versus: against(0.75, 25) },
  { make: hits(1024, false), versus: against(0.75, 80) },
  { make: hits(1024, true), versus: against(0.75, 80) },
  { make: (_passes, effort) => mixedStreams(requestsOf(effort)), versus: against(1, 80) },
];

export const question: Question = {
  name: "hits",
  title: "Translations that are cached: the engine's batches beside C, QEMU's shape and JavaScript",
  run: (effort) => contests(MEASURES, effort),
};
