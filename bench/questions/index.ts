// All questions, in the order in which a full run answers them.

import type { Question } from "../question.ts";
import { question as cold } from "./cold.ts";
import { commands } from "./commands.ts";
import { question as doorbell } from "./doorbell.ts";
import { question as hits } from "./hits.ts";
import { its } from "./its.ts";
import { processes } from "./process.ts";
import { single } from "./single.ts";
import { question as walks } from "./walks.ts";
import { workers } from "./workers.ts";

export const QUESTIONS: readonly Question[] = [
  hits,
  walks,
  cold,
  commands,
  doorbell,
  its,
  single,
  workers,
  processes,
];
