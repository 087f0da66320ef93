// What every action of a scenario does, and what it came to.
import type { UserSpaceStore } from "../machine/accel-function.ts";
import { emulatedSpace } from "../smmu/emulated-space.ts";
import { CMD } from "../spec/command.ts";
import { command } from "../tables/command.ts";
import { jumpOverGuard, rcuDepths } from "./rcu.ts";
import type { ActionName, Actions, Numeric, Outcome } from "./types.ts";
import { eventText, hostInfo, numeric, ScenarioError, type World } from "./world.ts";

type Perform = { [K in ActionName]: (world: World, what: Actions[K]) => Outcome };

const PAGE = 0x1000n;
/** Rounds of every exit: a depth that leaks by one would show as this number. */
const RCU_ROUNDS = 1000;
const HOST_DEVFN_BITS = 256;

type CommandName = keyof typeof CMD.cases;
type Fields = Record<string, Numeric>;

function commandOf(name: string, fields: Fields = {}): Uint8Array {
  if (!(name in CMD.cases)) throw new ScenarioError(`no command is called ${name}`);
  const values = Object.entries(fields).map(([field, value]) => {
    if (!(field in CMD.field)) throw new ScenarioError(`no command has a field ${field}`);
    return [field, numeric(value)];
  });
  return command(name as CommandName, Object.fromEntries(values));
}

/** Runs `act`; a refusal becomes part of the outcome. */
function refusable(act: () => void): Outcome {
  try {
    act();
    return { refused: null };
  } catch (error) {
    if (error instanceof ScenarioError || !(error instanceof Error)) throw error;
    return { refused: error.message };
  }
}

/** The STE that the guest's driver installs, and what the VMM made of it. */
function installing(world: World, act: () => void): Outcome {
  const before = world.machine.events.length;
  const { refused } = world.driver.port;
  const errors = refused.length;
  act();
  const cerror = refused.slice(errors)[0]?.cerror ?? 0;
  return { installed: world.installs(before).at(-1) ?? null, cerror };
}

/** "0000:00:04.0" for a StreamID of the host. */
function hostBdf(sid: number): string {
  const devfn = sid % HOST_DEVFN_BITS;
  const bus = Math.floor(sid / HOST_DEVFN_BITS);
  const two = (n: number): string => n.toString(16).padStart(2, "0");
  return `0000:${two(bus)}:${two(Math.floor(devfn / 8))}.${devfn % 8}`;
}

function plug(world: World, what: Actions["plug"]): Outcome {
  const { driver = "vfio-pci", iommufd = true } = what;
  const sid = Number(numeric(what.sid));
  return refusable(() => {
    const made = world.machine.plug({
      bdf: `0000:00:${what.at}`,
      hostBdf: hostBdf(sid),
      hostSid: sid,
      model: { driver, iommufd },
      config: { vectors: world.machine.doorbell === undefined ? 0 : (what.vectors ?? 4) },
      otherHost: hostInfo(what.hostIdr),
    });
    world.functions.set(what.function, made);
  });
}

function dma(world: World, { function: name, iova, write = false }: Actions["dma"]): Outcome {
  const { machine } = world;
  const address = numeric(iova);
  const { status, pa, stage, event } = machine.dma(world.function(name), address, write);
  if (pa === undefined) return { status, event: event?.name ?? null };
  return { status, pa, gpa: machine.gpaOf(pa) ?? null, stage: stage ?? 0 };
}

function interrupt(world: World, { function: name, vector }: Actions["interrupt"]): Outcome {
  const { physical, reachedHost, guest, signals, stores } = world.function(name).interrupt(vector);
  const path = guest?.path ?? "none";
  const reach = { reachedHost, iova: physical.iova, path };
  const [signal] = signals;
  if (signal?.kind === "message") {
    const { outcome, reason, delivery } = signal.injection;
    return { ...reach, outcome, reason, lpi: delivery?.lpi ?? null };
  }
  if (signal?.kind === "spi") return { ...reach, outcome: "delivered", spi: signal.spi };
  const result = guest?.path === "user space" ? guest.result : "nothing";
  return {
    ...reach,
    outcome: result,
    stores: stores.map((s) => ({ ...s, range: s.range ?? null })),
  };
}

const storesOf = (stores: readonly UserSpaceStore[]): Outcome[] =>
  stores.map((store) => ({ ...store, range: store.range ?? null }));

function vmmWalk(world: World, { function: name, iova }: Actions["vmmWalk"]): Outcome {
  const { sid } = world.function(name);
  const space = emulatedSpace(world.machine.smmu, () => sid, "walk");
  const answer = space.translate(numeric(iova), true);
  return "gpa" in answer ? { gpa: answer.gpa, event: null } : { gpa: null, event: answer.fault };
}

function register(world: World, { name, value }: Actions["register"]): Outcome {
  const { offset, bits } = world.register(name);
  const size = bits === 64 ? 8 : 4;
  const { accel } = world.machine;
  if (value !== undefined) accel.writeRegister(offset, numeric(value), size);
  return { value: accel.readRegister(offset, size) };
}

function blockers(world: World, what: Actions["blockers"]): Outcome {
  const { ops, root } = world.machine;
  const migration = ops.migrationBlocker ?? null;
  if (what.function === undefined) return { migration };
  const { fn } = world.function(what.function);
  return { migration, unplug: ops.unplugBlocker(root, fn.devfn) ?? null };
}

function counters(world: World): Outcome {
  const { vmmReads, accesses, fixup, events } = world.machine;
  const commits = events.filter((e) => e.from === "kvm" && e.event.kind === "commit").length;
  return { ...vmmReads, ...accesses, commits, rcuDepth: fixup.rcu.depth };
}

/** Records in the guest's own queue that its driver has not read yet. */
const newEvents = (world: World): Outcome => ({
  events: world.driver.port.takeEvents().map(eventText),
});

/** Every action. */
export const ACTIONS: Perform = {
  plug,
  unplug: (world, what) =>
    refusable(() => {
      world.machine.unplug(world.function(what.function));
      world.functions.delete(what.function);
    }),
  start: (world, what) => {
    if (what === "smmu") world.startSmmu();
    else world.startIts();
    return {};
  },
  attach: (world, { function: name, domain }) =>
    installing(world, () => world.driver.attach(world.function(name).sid, world.domain(domain))),
  bypass: (world, what) =>
    installing(world, () => world.driver.bypass(world.function(what.function).sid)),
  block: (world, what) =>
    installing(world, () => world.driver.block(world.function(what.function).sid)),
  map: (world, { domain, iova, gpa, bytes = PAGE }) => {
    world.driver.map(world.domain(domain), numeric(iova), numeric(gpa), numeric(bytes));
    return {};
  },
  unmap: (world, { domain, iova, bytes = PAGE }) => {
    world.driver.unmap(world.domain(domain), numeric(iova), numeric(bytes));
    return {};
  },
  mapMsi: (world, { domain, page }) => {
    const { doorbell } = world.machine;
    world.driver.mapWindow(world.domain(domain));
    if (page !== undefined && doorbell !== undefined)
      world.driver.mapDoorbell(world.domain(domain), numeric(page), doorbell);
    return {};
  },
  ste: (world, { function: name, words }) => {
    const at = world.driver.steAddress(world.function(name).sid);
    for (const [i, word] of words.entries())
      world.machine.map.writeU64(at + BigInt(i * 8), numeric(word));
    return {};
  },
  command: (world, { name, function: target, fields = {} }) => {
    const sid: Fields = target === undefined ? {} : { StreamID: world.function(target).sid };
    const before = world.machine.events.length;
    const outcome = world.issue(commandOf(name, { ...sid, ...fields }));
    return { ...outcome, installed: world.installs(before).at(-1) ?? null };
  },
  vcmdq: (world, list) =>
    world.produce(
      list.map(({ name, domain, iova, fields = {} }) => {
        const tag: Fields = domain === undefined ? {} : { "TLBI.ASID": world.domain(domain).tag };
        const address: Fields = iova === undefined ? {} : { "TLBI.Address": iova };
        return commandOf(name, { ...tag, ...address, ...fields });
      }),
    ),
  register,
  dma,
  vmmWalk,
  program: (world, { function: name, vector, address, data, masked = false }) =>
    world.routing(() =>
      world
        .function(name)
        .setVector(vector, { address: numeric(address), data: Number(numeric(data)) }, masked),
    ),
  msix: (world, { function: name, state }) =>
    world.routing(() => world.function(name).setMsix(state)),
  mask: (world, { function: name, vector, masked }) =>
    world.routing(() => world.function(name).maskVector(vector, masked)),
  route: (world, { function: name, vector }) => world.route(world.function(name), vector),
  interrupt,
  userStores: (world, what) => ({ stores: storesOf(world.function(what.function).stores) }),
  itsMap: (world, { function: name, event }) => ({
    lpi: world.its.map(world.function(name).sid, Number(numeric(event))),
  }),
  reset: (world) => {
    world.machine.reset();
    return {};
  },
  events: newEvents,
  counters,
  blockers,
  rcu: () => ({ depths: rcuDepths(RCU_ROUNDS), jumpOverGuard: jumpOverGuard() ?? null }),
};
