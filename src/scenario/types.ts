// What a scenario is: machines, steps, and what each step must come to.
import type { Compat } from "../engine/types.ts";
import type { AccelProperties } from "../smmu/accel-properties.ts";

/** A number, or "0x…". */
export type Numeric = number | bigint | string;

/** The machine of one case; what is left out is QEMU's virt machine with an accelerated vSMMU. */
export interface ScenarioMachine {
  /** Rules of the vSMMU. Default "arch". */
  compat?: Compat;
  /** Rules of the physical SMMU. Default "arch": real hardware. */
  hostCompat?: Compat;
  kernel?: "7.2" | "next";
  controller?: "its" | "gicv2m" | "none";
  properties?: Partial<Omit<AccelProperties, "stage">>;
  /** Raw IDR0 to IDR5 of the host. */
  hostIdr?: Numeric[];
  /** What passed-through functions see: the shared alias of memory, or the global memory itself. */
  space?: "shared" | "global";
  /** Asks for the doorbell before looking whether there is an IOMMU at all. */
  doorbellFirst?: boolean;
  /** How a route gets its doorbell. */
  doorbell?: "direct" | "walk";
  /** The host has a Tegra241 CMDQV. */
  cmdqv?: boolean;
}

/** Everything that a step can do; exactly one of them is in a step. */
export interface Actions {
  /** Plugs a function. */
  plug: {
    function: string;
    /** Device and function number on the root bus, "01.0". */
    at: string;
    /** StreamID on the host. */
    sid: Numeric;
    driver?: string;
    iommufd?: boolean;
    vectors?: number;
    /** Raw IDR0 to IDR5 of another SMMU of the host, which this function is behind. */
    hostIdr?: Numeric[];
  };
  unplug: { function: string };
  /** Starts a driver of the guest. */
  start: "smmu" | "its";
  attach: { function: string; domain: string };
  bypass: { function: string };
  block: { function: string };
  map: { domain: string; iova: Numeric; gpa: Numeric; bytes?: Numeric };
  unmap: { domain: string; iova: Numeric; bytes?: Numeric };
  /** Maps the reserved window one to one, and with `page` the page of the virtual doorbell. */
  mapMsi: { domain: string; page?: Numeric };
  /** Stores words of a function's STE, from word 0 on, and tells nobody. */
  ste: { function: string; words: Numeric[] };
  /** Puts a command and a CMD_SYNC on the guest's command queue. */
  command: { name: string; function?: string; fields?: Record<string, Numeric> };
  /** Puts commands on queue 0 of the CMDQV, started when it is not. */
  vcmdq: { name: string; domain?: string; iova?: Numeric; fields?: Record<string, Numeric> }[];
  /** Reads a register, or writes it when there is a value. */
  register: { name: string; value?: Numeric };
  /** One access of a function. */
  dma: { function: string; iova: Numeric; write?: boolean };
  /** The VMM translates an address of a function by itself. */
  vmmWalk: { function: string; iova: Numeric };
  /** The guest programs a vector. */
  program: { function: string; vector: number; address: Numeric; data: Numeric; masked?: boolean };
  msix: { function: string; state: "on" | "masked" | "off" };
  mask: { function: string; vector: number; masked: boolean };
  /** KVM's route of a vector. */
  route: { function: string; vector: number };
  /** The hardware raises a vector. */
  interrupt: { function: string; vector: number };
  /** Messages that user space stored for the function since its last interrupt. */
  userStores: { function: string };
  /** The guest maps an event of a function to an LPI. */
  itsMap: { function: string; event: Numeric };
  /** System reset. */
  reset: Record<string, never>;
  /** Events that arrived in the guest's queue since the last look. */
  events: Record<string, never>;
  /** Loads of guest memory by the VMM, accesses of the guest, commits, RCU depth. */
  counters: Record<string, never>;
  /** What forbids migration, or unplugging a function. */
  blockers: { function?: string };
  /** Every exit of the route fix-up with the depth of its RCU read section afterwards. */
  rcu: Record<string, never>;
}

export type ActionName = keyof Actions;

/** One step. */
export type Step = { [K in ActionName]?: Actions[K] } & {
  /** Why the step is there. */
  note?: string;
  /** Members of the outcome and their values. */
  expect?: Record<string, unknown>;
};

/** One machine and its steps. */
export interface ScenarioCase {
  name: string;
  machine?: ScenarioMachine;
  steps: Step[];
}

/** A scenario. */
export interface Scenario {
  name: string;
  /** One sentence. */
  summary: string;
  cases: ScenarioCase[];
}

/** What a step came to. */
export type Outcome = Record<string, unknown>;

/** One performed step. */
export interface StepResult {
  action: ActionName;
  /** The action's arguments. */
  what: unknown;
  note: string | undefined;
  outcome: Outcome;
  /** Members that are not as expected. */
  wrong: { member: string; expected: unknown; got: unknown }[];
}

/** One performed case. */
export interface CaseResult {
  name: string;
  machine: ScenarioMachine;
  steps: StepResult[];
  /** Loads of guest memory by the VMM. */
  vmmReads: { commands: number; streamTable: number; tables: number };
  ok: boolean;
}

/** One performed scenario. */
export interface ScenarioResult {
  scenario: string;
  summary: string;
  cases: CaseResult[];
  ok: boolean;
}
