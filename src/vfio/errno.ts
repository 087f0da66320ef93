// A call into the modelled kernel that failed: the errno it gives and the reason in words (Linux
// 7.2).
import { ERRNO, type ErrnoName } from "../spec/errno.ts";

/** The errno that a call returns, and why in one sentence. */
export class KernelError extends Error {
  override readonly name = "KernelError";

  constructor(
    readonly code: ErrnoName,
    readonly reason: string,
  ) {
    super(`${code}: ${reason}`);
  }

  /** The positive errno. */
  get errno(): number {
    return ERRNO[this.code];
  }
}

/** Throws the KernelError; typed so that the compiler knows nothing follows. */
export function fail(code: ErrnoName, reason: string): never {
  throw new KernelError(code, reason);
}

/** Runs a kernel call and gives what the system call would: its result, or the negative errno. */
export function systemCall(call: () => number | undefined): number {
  try {
    return call() ?? 0;
  } catch (error) {
    if (error instanceof KernelError) return -error.errno;
    throw error;
  }
}
