// Runs the program inside the test process and collects what it prints.

import { main } from "../../src/cli/main.ts";

/** What a call printed, and its exit code. */
export interface CallResult {
  code: number;
  out: string;
  err: string;
}

/** Calls the program with these arguments; `columns` makes the output a terminal. */
export async function call(
  argv: string[],
  options: { columns?: number; env?: Record<string, string>; stdin?: Uint8Array } = {},
): Promise<CallResult> {
  const result = { out: "", err: "" };
  const stream = (name: "out" | "err") => ({
    write(text: string) {
      result[name] += text;
    },
    ...(options.columns ? { isTTY: true, columns: options.columns } : {}),
  });
  const code = await main({
    argv,
    env: { NO_COLOR: "1", ...options.env },
    stdout: stream("out"),
    stderr: stream("err"),
    stdin: async () => options.stdin ?? new Uint8Array(0),
  });
  return { code, ...result };
}
