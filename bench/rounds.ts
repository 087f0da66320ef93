// Paired rounds: contestants take turns, so that whatever disturbs one disturbs its neighbours too.

/** Something that is timed. */
export interface Contestant {
  readonly name: string;
  /** Brings caches and queues into the state that the case is about; not timed. */
  prepare?(): void | Promise<void>;
  /** One pass; gives nanoseconds per operation. */
  pass(): number | Promise<number>;
}

/** Passes before the first that counts: compilers and caches settle. */
export const WARM_UP_PASSES = 3;

/** Told after each round how many of a case's rounds are done. */
export type RoundWatcher = (done: number, total: number) => void;

let watcher: RoundWatcher = () => {};

/** Who is told of rounds from now on: the progress bar. */
export function watchRounds(told: RoundWatcher): void {
  watcher = told;
}

/** Tells of rounds that were done elsewhere. */
export function tellRounds(done: number, total: number): void {
  watcher(done, total);
}

async function turn(contestant: Contestant): Promise<number> {
  await contestant.prepare?.();
  return contestant.pass();
}

/**
 * Runs `count` rounds in which every contestant has one turn; the order is reversed every other
 * round. Gives nanoseconds per operation by contestant and round.
 */
export async function pairedRounds<N extends string>(
  contestants: readonly (Contestant & { readonly name: N })[],
  count: number,
  warmUps = WARM_UP_PASSES,
): Promise<Record<N, number[]>> {
  const times = Object.fromEntries(contestants.map((c) => [c.name, [] as number[]]));
  watcher(0, count);
  for (const contestant of contestants) {
    for (let i = 0; i < warmUps; i++) await turn(contestant);
  }
  for (let round = 0; round < count; round++) {
    const order = round % 2 === 0 ? contestants : [...contestants].reverse();
    for (const contestant of order) times[contestant.name].push(await turn(contestant));
    watcher(round + 1, count);
  }
  return times as Record<N, number[]>;
}

/** Nanoseconds that `work` takes. */
export function timeNs(work: () => void): number {
  const start = process.hrtime.bigint();
  work();
  return Number(process.hrtime.bigint() - start);
}

/** The same in processor time of this process: other programs on the machine do not count. */
export function cpuTimeNs(work: () => void): number {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) * 1000;
}
