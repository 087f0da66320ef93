// The command table: names and summaries here, each command's code loaded when it is called.

import type { Command } from "./command.ts";

/** One row: enough for the list of commands, without loading the command. */
export interface CommandRow {
  name: string;
  summary: string;
  load(): Promise<{ command: Command }>;
}

/** All commands, in the order of the help. */
export const COMMANDS: CommandRow[] = [
  {
    name: "run",
    summary: "resolve every MSI-X vector of a captured guest, by walk and by direct doorbell",
    load: () => import("./run.ts"),
  },
  {
    name: "walk",
    summary: "translate one address and show every fetch",
    load: () => import("./walk.ts"),
  },
  {
    name: "replay",
    summary: "check the engine against everything that a capture recorded",
    load: () => import("./replay.ts"),
  },
  {
    name: "scenarios",
    summary: "list the built-in scenarios of the accelerated system",
    load: () => import("./scenarios.ts"),
  },
  {
    name: "conform",
    summary: "check the engine against answers that a real QEMU gave",
    load: () => import("./conform.ts"),
  },
  {
    name: "vectors",
    summary: "print conformance vectors for other implementations",
    load: () => import("./vectors.ts"),
  },
  {
    name: "decode",
    summary: "say what kernel logs, event records, entries and registers mean",
    load: () => import("./decode.ts"),
  },
  {
    name: "explain",
    summary: "explain a field, register, command, event or error code",
    load: () => import("./explain.ts"),
  },
  {
    name: "compare-idr",
    summary: "compare a host's and a guest's ID registers by the rules of accelerated mode",
    load: () => import("./compare-idr.ts"),
  },
  {
    name: "completion",
    summary: "print a completion script for bash, zsh or fish",
    load: () => import("./completion.ts"),
  },
  {
    name: "man",
    summary: "print the manual page",
    load: () => import("./man.ts"),
  },
];
