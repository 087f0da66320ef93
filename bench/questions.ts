// All questions, in the order in which a full run answers them.
import { commands } from "./commands.ts";
import { question as doorbell } from "./doorbell.ts";
import { its } from "./its.ts";
import { processes } from "./process.ts";
import type { Question } from "./question.ts";
import { single } from "./single.ts";
import { walks } from "./walks.ts";

export const QUESTIONS: readonly Question[] = [walks, commands, doorbell, its, single, processes];
