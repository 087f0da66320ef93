// This process as the surroundings of a program: arguments, environment, streams.
import type { Surroundings } from "./main.ts";

async function readStdin(): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of process.stdin) parts.push(part as Uint8Array);
  return Buffer.concat(parts);
}

/** Connects a program to this process. A reader that closes the pipe early is not an error. */
export function thisProcess(): Surroundings {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    process.exit(error.code === "EPIPE" ? 0 : 70);
  });
  return {
    argv: process.argv.slice(2),
    env: process.env,
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: readStdin,
  };
}
