// Question: what does a walk cost when the IOTLB is not asked and the processor has the tables at
// hand?
import { resident } from "./cases.ts";
import { contests, type Measure, type Versus } from "./contest.ts";
import { atMost, type Question } from "./question.ts";

const AGAINST: Versus[] = [
  { rival: "serial", target: atMost(1.2) },
  { rival: "batch", target: atMost(1.2) },
];

const MEASURES: Measure[] = [
  { make: () => resident(1024, false, "walk"), versus: AGAINST },
  { make: () => resident(1024, true, "walk"), versus: AGAINST },
];

export const question: Question = {
  name: "walks",
  title: "Walks of warm tables without an IOTLB: the engine's batches beside the same engine in C",
  run: (effort) => contests(MEASURES, effort),
};
