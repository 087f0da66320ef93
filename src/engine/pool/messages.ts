// What a pool and its threads say to each other; everything that is in a hurry goes by memory.

/** What a worker needs to begin. Numbers are linear addresses. */
export interface Start {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly pool: number;
  readonly worker: number;
  readonly log: number;
  /** Zeroed room for the state of its engine. */
  readonly state: number;
}

/** What a worker reports: it is ready, it was the last to finish the job, or it has failed. */
export type Report =
  | { readonly what: "ready" }
  | { readonly what: "done"; readonly job: number }
  | { readonly what: "failed"; readonly reason: string };

/** One thread, as its owner sees it. */
export interface Thread {
  post(start: Start): void;
  /** Whether the process has to stay alive for it. */
  hold(on: boolean): void;
  end(): Promise<void>;
}

/** What the owner hears of a thread. `failed` also tells that it ended by itself. */
export interface Listener {
  reported(report: Report): void;
  failed(reason: string): void;
}
