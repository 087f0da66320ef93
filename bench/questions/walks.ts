// Question: what does a walk cost when the IOTLB is not asked and the processor has the tables at
// hand?

import { atMost, type Question, share } from "../question.ts";
import { RESIDENT_REQUESTS, resident } from "../world/cases.ts";
import { contests, type Measure, type Versus } from "./contest.ts";

const AGAINST: Versus[] = [
  { rival: "serial", target: atMost(1.2) },
  { rival: "batch", target: atMost(1.2) },
];

const walked =
  (nested: boolean): Measure["make"] =>
  (_passes, effort) =>
    resident(1024, nested, "walk", share(effort, RESIDENT_REQUESTS));

const MEASURES: Measure[] = [
  { make: walked(false), versus: AGAINST },
  { make: walked(true), versus: AGAINST },
];

export const question: Question = {
  name: "walks",
  title: "Walks of warm tables without an IOTLB: the engine's batches beside the same engine in C",
  run: (effort) => contests(MEASURES, effort),
};
