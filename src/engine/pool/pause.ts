// Waiting for another thread: in place while that is likely to be short, then in short sleeps.

/** Turns in place before the first sleep: some ten microseconds, as long as a slow group takes. */
const TURNS = 1024;
const SLEEP_MS = 0.05;

let sleep: Int32Array | undefined;
let maySleep: boolean | undefined;

/** Whether this thread may sleep: the main thread of a page may not. */
function canSleep(): boolean {
  if (maySleep !== undefined) return maySleep;
  sleep = new Int32Array(new SharedArrayBuffer(4));
  try {
    Atomics.wait(sleep, 0, 0, 0);
    maySleep = true;
  } catch {
    maySleep = false;
  }
  return maySleep;
}

/** One turn of a wait, numbered from 0. True now and then, when it is worth looking at a clock. */
export function pause(turn: number): boolean {
  if (turn < TURNS) return false;
  if (canSleep()) {
    Atomics.wait(sleep as Int32Array, 0, 0, SLEEP_MS);
    return true;
  }
  return turn % TURNS === 0;
}
