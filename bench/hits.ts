// Question: what does a translation cost that the caches hold?
import { mixedStreams, resident } from "./cases.ts";
import { contests, type Measure, type Versus } from "./contest.ts";
import { atLeast, atMost, type Question } from "./question.ts";

const QEMU_NOTE =
  "QEMU's locks, hash tables and memory dispatch; without its trace points and notifiers";

/** Whom every case meets; `serial` and `qemu` are their targets. */
const against = (serial: number, qemu: number): Versus[] => [
  { rival: "serial", target: atMost(serial) },
  { rival: "batch", target: atMost(1.2) },
  { rival: "qemu", target: atLeast(qemu), note: QEMU_NOTE },
  { rival: "bigint", target: atLeast(25) },
  { rival: "uint32", target: atLeast(7) },
];

const MEASURES: Measure[] = [
  { make: () => resident(256, false), versus: against(0.75, 25) },
  { make: () => resident(1024, false), versus: against(0.75, 80) },
  { make: () => resident(1024, true), versus: against(0.75, 80) },
  { make: mixedStreams, versus: against(1, 80) },
];

export const question: Question = {
  name: "hits",
  title: "Translations that are cached: the engine's batches beside C, QEMU's shape and JavaScript",
  run: (effort) => contests(MEASURES, effort),
};
