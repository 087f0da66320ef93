// The executable's entry: connects the program to this process.

import { main } from "./main.ts";
import { thisProcess } from "./this-process.ts";

process.exitCode = await main(thisProcess());
