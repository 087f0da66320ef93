// The world of one case: its machine, the guest's drivers and domains, and what happened since the
// last look.
import type { IrqchipEvent } from "../kvm/irqchip.ts";
import { routeAddress } from "../kvm/route.ts";
import type { AccelFunction } from "../machine/accel-function.ts";
import { AccelMachine, CMDQV_BASE } from "../machine/accel-machine.ts";
import type { GuestIts } from "../machine/guest-its.ts";
import type { GuestSmmuDriver } from "../machine/guest-smmu-driver.ts";
import type { HostPagingDomain } from "../smmu/host-driver.ts";
import { CMD } from "../spec/command.ts";
import { EVENT } from "../spec/event.ts";
import * as registers from "../spec/register.ts";
import { getField, wordsOf } from "../spec/word.ts";
import type { Numeric, Outcome, ScenarioMachine } from "./types.ts";

/** A step that cannot be performed: the scenario names something that is not there. */
export class ScenarioError extends Error {
  override readonly name = "ScenarioError";
}

/** A number of a scenario. Throws a ScenarioError when it is none. */
export function numeric(value: Numeric): bigint {
  try {
    return BigInt(value);
  } catch {
    throw new ScenarioError(`"${value}" is not a number`);
  }
}

const hwInfo = (idr: readonly Numeric[]) => ({
  flags: 0,
  idr: idr.map((n) => Number(numeric(n))),
  iidr: 0,
  aidr: 1,
});

/** ID registers of a host, from the six numbers of a scenario. */
export const hostInfo = (idr: readonly Numeric[] | undefined) => (idr ? hwInfo(idr) : undefined);

/** The queue of the CMDQV in guest memory. */
const VCMDQ = { gpa: 0x4080_0000n, log2: 4n } as const;
/** Registers that start queue 0: base, allocation, interface, enable. */
const VCMDQ_START: readonly (readonly [bigint, bigint, 4 | 8])[] = [
  [0x2_0000n, VCMDQ.gpa + VCMDQ.log2, 8],
  [0x200n, 1n, 4],
  [0x1000n, 1n, 4],
  [0x3_0008n, 1n, 4],
];
const VCMDQ_CONS = CMDQV_BASE + 0x3_0000n;
const VCMDQ_PROD = CMDQV_BASE + 0x3_0004n;

/** One case in progress. */
export class World {
  readonly functions = new Map<string, AccelFunction>();
  private readonly domains = new Map<string, HostPagingDomain>();
  private driverMade: GuestSmmuDriver | undefined;
  private itsMade: GuestIts | undefined;
  private produced = 0;

  private constructor(readonly machine: AccelMachine) {}

  static async create(machine: ScenarioMachine): Promise<World> {
    const { hostIdr, properties, ...rest } = machine;
    const host = hostInfo(hostIdr);
    return new World(await AccelMachine.create({ ...rest, host, properties }));
  }

  function(name: string): AccelFunction {
    const found = this.functions.get(name);
    if (found === undefined) throw new ScenarioError(`no function is called "${name}"`);
    return found;
  }

  /** The guest's SMMU driver. Throws a ScenarioError before it is started. */
  get driver(): GuestSmmuDriver {
    if (this.driverMade === undefined) throw new ScenarioError("the SMMU driver is not started");
    return this.driverMade;
  }

  startSmmu(): void {
    this.driverMade = this.machine.startGuestDriver();
  }

  /** The guest's GIC driver. Throws a ScenarioError before it is started. */
  get its(): GuestIts {
    if (this.itsMade === undefined) throw new ScenarioError("the ITS driver is not started");
    return this.itsMade;
  }

  startIts(): void {
    if (this.machine.its === undefined) throw new ScenarioError("the machine has no ITS");
    this.itsMade = this.machine.startGuestIts();
  }

  /** A domain of the guest, made when it is first named. */
  domain(name: string): HostPagingDomain {
    const known = this.domains.get(name);
    if (known !== undefined) return known;
    const made = this.driver.domain();
    this.domains.set(name, made);
    return made;
  }

  /** How the routes changed while `act` ran: the last fix-up and the commits. */
  routing(act: () => void): Outcome {
    const before = this.machine.events.length;
    act();
    const kvm = this.machine.events
      .slice(before)
      .flatMap((e): IrqchipEvent[] => (e.from === "kvm" ? [e.event] : []));
    const commits = kvm.filter(({ kind }) => kind === "commit").length;
    const fixups = kvm.flatMap((e) => (e.kind === "fixup" ? [e.fixup] : []));
    const last = fixups.at(-1);
    return {
      commits,
      branch: last?.branch ?? null,
      doorbell: last?.doorbell ?? null,
      failure: last?.failure ?? null,
    };
  }

  /** KVM's route of a vector. */
  route(fn: AccelFunction, vector: number): Outcome {
    const gsi = fn.vfio?.gsiOf(vector);
    if (gsi === undefined) return { gsi: null };
    const found = this.machine.irqchip.vm.routing.routesOf(gsi)[0];
    if (found?.type !== "msi") return { gsi };
    return { gsi, address: routeAddress(found), data: found.data, devid: found.devid };
  }

  /** The kinds of HWPT that STEs got, in order, since the machine's event `from`. */
  installs(from: number): string[] {
    return this.machine.events
      .slice(from)
      .flatMap((e) => (e.from === "smmu" && e.event.kind === "install" ? [e.event.type] : []));
  }

  /** Commands on the guest's queue, and the CERROR code that stopped it. */
  issue(...commands: Uint8Array[]): Outcome {
    const { refused } = this.driver.port;
    const before = refused.length;
    this.driver.issue(...commands);
    return { cerror: refused.slice(before)[0]?.cerror ?? 0 };
  }

  /** Commands on queue 0 of the CMDQV. */
  produce(commands: readonly Uint8Array[]): Outcome {
    const { machine } = this;
    if (machine.cmdqv.directPage === undefined)
      for (const [at, value, size] of VCMDQ_START) machine.guestWrite(CMDQV_BASE + at, value, size);
    const entries = 2 ** Number(VCMDQ.log2);
    for (const raw of commands) {
      const at = VCMDQ.gpa + BigInt((this.produced % entries) * CMD.bytes);
      machine.map.writeBytes(at, raw);
      this.produced = (this.produced + 1) % (2 * entries);
    }
    const trapped = machine.accesses.trapped;
    machine.guestWrite(VCMDQ_PROD, this.produced);
    const cons = [machine.guestRead(VCMDQ_CONS)];
    const consumed = getField(registers.CMDQ_CONS, cons, "RD");
    const cerror = Number(getField(registers.CMDQ_CONS, cons, "ERR"));
    return { consumed, cerror, traps: machine.accesses.trapped - trapped };
  }

  /** A register of the vSMMU by its name. */
  register(name: string): { readonly offset: number; readonly bits: number } {
    const found = Object.values(registers).find((r) => "name" in r && r.name === name);
    if (found === undefined || !("offset" in found))
      throw new ScenarioError(`the SMMU has no register ${name}`);
    return found;
  }
}

/** "F_TRANSLATION sid 0x8" for a record. */
export function eventText(record: Uint8Array): string {
  const words = wordsOf(record);
  const id = Number(getField(EVENT, words, "EventID"));
  const sid = getField(EVENT, words, "StreamID");
  return `${EVENT.caseOf(id)?.name ?? id} sid 0x${sid.toString(16)}`;
}
