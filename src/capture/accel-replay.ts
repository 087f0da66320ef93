// Replays an accelerated run: the model is driven with what the trace shows from outside, and
// compared act by act.
import { EVENT } from "../spec/event.ts";
import { GITS_TRANSLATER } from "../spec/its-register.ts";
import { EVENTQ_BASE, EVENTQ_PROD } from "../spec/register-queue.ts";
import { getField, wordsOf } from "../spec/word.ts";
import {
  hostInfoOf,
  itsBase,
  type LoggedCall,
  type LoggedRouting,
  type ModelCall,
  readCalls,
  routingsOf,
} from "./accel-calls.ts";
import { checkAction, checkCalls, checkRoutings } from "./accel-check.ts";
import { AccelGuestMemory } from "./accel-guest.ts";
import { checkHostQueue } from "./accel-host-queue.ts";
import { AccelRig } from "./accel-rig.ts";
import {
  type Action,
  ActionReader,
  numberAfter,
  type TraceLine,
  traceLines,
} from "./accel-trace.ts";
import { performVector, type VectorWorld } from "./accel-vectors.ts";
import {
  type GuestView,
  type PhysicalRun,
  readGuestView,
  readPhysical,
  readText,
} from "./accel-views.ts";
import { readList } from "./capture.ts";
import type { ReplayJob } from "./replay-job.ts";
import type { ReportBuilder } from "./replay-report.ts";

/** Page 0 offsets that the trace uses for registers of page 1. */
const PAGE1_OFFSETS: readonly number[] = [0xa8, 0xac, 0xc8, 0xcc];
const PAGE1 = 0x1_0000;
const RECORD_BYTES = 32;
/** VMID of the one VM on the physical SMMU. */
const FIRST_VMID = 1;

/** The trace's own mark of an accelerated vSMMU. */
const MARK = "smmuv3_accel_set_iommu_device";

/** The section of a replay that is about the VMM. Captures without its logs are left alone. */
export async function replayAccel({ capture, compat, report }: ReplayJob): Promise<void> {
  const trace = await readText(capture, "vmm-trace.txt");
  const log = await readList(capture, "vmm-ioctls.jsonl");
  if (trace === undefined || log === undefined || !trace.text.includes(MARK)) return;
  const lines = traceLines(trace.text);
  const calls = await readCalls(log.bytes, log.file);
  const rig = await makeRig(lines, calls);
  if (compat === "arch") report.note("the VMM's record is checked with QEMU's own rules");
  const views = { guest: await readGuestView(capture), physical: await readPhysical(capture) };
  const files = { trace: trace.file, calls: log.file };
  new AccelReplay(rig, calls, views, files, report).run(lines);
}

async function makeRig(
  lines: readonly TraceLine[],
  calls: readonly LoggedCall[],
): Promise<AccelRig> {
  const numbers = (name: string, key: string): bigint[] =>
    lines.filter((l) => l.name === name).flatMap((l) => numberAfter(l, key) ?? []);
  const maps = lines
    .filter((l) => l.name === "iommufd_backend_map_dma" && l.text.endsWith("(0)"))
    .map((l) => ({ base: numberAfter(l, "iova") ?? 0n, bytes: numberAfter(l, "size") ?? 0n }));
  const largest = maps.reduce((a, b) => (b.bytes > a.bytes ? b : a), { base: 0n, bytes: 0n });
  const [sid = 0n] = numbers("iommufd_backend_alloc_vdev", "virt_id");
  const info = hostInfoOf(calls);
  return await AccelRig.create({
    compat: "qemu",
    host: info ?? { flags: 0, idr: [0, 0, 0, 0, 0, 0], iidr: 0, aidr: 0 },
    ram: largest,
    doorbell: itsBase(calls) + BigInt(GITS_TRANSLATER.offset),
    bus: Math.floor(Number(sid) / 256),
    iommufd: Number(numbers("iommufd_backend_connect", "fd")[0] ?? 0n),
    eventFds: numbers("iommufd_viommu_alloc_eventq", "veventq_fd").map(Number),
  });
}

/** One replay. */
class AccelReplay {
  private readonly memory: AccelGuestMemory;
  private readonly routings: readonly LoggedRouting[];
  private readonly vectors: VectorWorld;
  private readonly made: ModelCall[] = [];
  private readonly tables: Uint8Array[] = [];
  private events = 0;
  private arrived = 0;

  constructor(
    private readonly rig: AccelRig,
    private readonly calls: readonly LoggedCall[],
    private readonly views: {
      readonly guest: GuestView | undefined;
      readonly physical: PhysicalRun;
    },
    private readonly files: { readonly trace: string; readonly calls: string },
    private readonly report: ReportBuilder,
  ) {
    this.routings = routingsOf(calls);
    const forwarded = calls
      .filter(({ io }) => io === "IOMMU_HWPT_INVALIDATE")
      .flatMap(({ members }) => members.listOf("cmds").map((f) => f.text()));
    this.memory = new AccelGuestMemory(rig, { raw: views.guest?.commands, forwarded });
    const { routings, tables } = this;
    this.vectors = {
      find: (bdf) => rig.find(bdf)?.vfio,
      routings,
      get committed() {
        return tables.length;
      },
      address: 0n,
    };
  }

  run(lines: readonly TraceLine[]): void {
    for (const action of new ActionReader(lines, this.files.trace).actions()) {
      try {
        this.perform(action);
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        this.complain(action, error.message);
      }
      this.compare(action);
    }
    this.finish();
  }

  private complain(action: Action, got: string): void {
    const place = { file: this.files.trace, line: action.line, what: action.kind };
    this.report.checkAccel("calls", place, { expected: "no error", got });
  }

  private finish(): void {
    const { report, rig, views, files } = this;
    checkCalls(this.calls, this.made, files.calls, report);
    checkRoutings(this.routings, this.tables, files.calls, report);
    const vm = { sids: rig.hostSids, vmid: FIRST_VMID };
    const issued = rig.port.commands.slice(0, this.memory.certain);
    checkHostQueue(issued, views.physical, vm, report);
    report.accel.vmmReads = { ...rig.accel.vmmReads };
  }

  private perform(action: Action): void {
    const { rig } = this;
    switch (action.kind) {
      case "commit":
        rig.irqchip.commitRoutes();
        break;
      case "device":
        rig.plug(action);
        break;
      case "reset":
        rig.accel.reset();
        break;
      case "map":
        rig.map(action.map);
        break;
      case "unmap":
        rig.unmap(action.map.iova, action.map.bytes);
        break;
      case "write":
        this.memory.prepare(action.effects);
        rig.accel.writeRegister(place(action.offset), action.value, action.size);
        break;
      case "read":
        this.read(action);
        break;
      case "event":
        this.event(action);
        break;
      default:
        performVector(action, this.vectors);
    }
  }

  private read({ line, offset, value, size }: Extract<Action, { kind: "read" }>): void {
    const got = this.rig.accel.readRegister(place(offset), size);
    const what = `register 0x${offset.toString(16)}`;
    const differs = { expected: `0x${value.toString(16)}`, got: `0x${got.toString(16)}` };
    const at = { file: this.files.trace, line, what };
    this.report.checkAccel("registers", at, got === value ? undefined : differs);
  }

  /** The next event of the physical SMMU that is about the VM goes through the host driver. */
  private event(action: Extract<Action, { kind: "event" }>): void {
    const { rig, report, files } = this;
    const own = this.views.physical.events.filter(({ sid }) => rig.hostSids.has(sid));
    const next = own[this.events++];
    const what = "forwarded event";
    const at = { file: files.trace, line: action.line, what };
    const expected = `${action.event} of SID 0x${action.sid.toString(16)}`;
    if (next === undefined) {
      report.checkAccel("events", at, { expected, got: "no physical event is recorded" });
      return;
    }
    this.makeRoom();
    rig.driver.handleEvent(next.record);
    rig.accel.pollEvents();
    const [record] = rig.notes.flatMap((n) =>
      n.kind === "smmu" && n.event.kind === "event" ? [n.event.record] : [],
    );
    const got = record === undefined ? "nothing arrived" : nameOf(record);
    report.checkAccel("events", at, got === expected ? undefined : { expected, got });
    if (record !== undefined) this.checkRecord(record);
  }

  /** The record in the guest's own queue. */
  private checkRecord(record: Uint8Array): void {
    const view = this.views.guest;
    const index = this.arrived++;
    const expected = view?.events[index];
    if (view === undefined || expected === undefined) return;
    const got = hex(record);
    const at = { file: view.file, line: null, what: `record ${index} of the event queue` };
    this.report.checkAccel("events", at, got === expected ? undefined : { expected, got });
  }

  /** Makes the slot that the next event record goes to exist. */
  private makeRoom(): void {
    const { accel, memory } = this.rig;
    const base = [accel.readRegister(EVENTQ_BASE.offset, 8)];
    const prod = [accel.readRegister(EVENTQ_PROD.offset)];
    const size = 2 ** Number(getField(EVENTQ_BASE, base, "LOG2SIZE"));
    const index = Number(getField(EVENTQ_PROD, prod, "WR")) % size;
    memory.ensure(Number(getField(EVENTQ_BASE, base, "ADDR")) + RECORD_BYTES * index);
  }

  /** What the action's lines tell against what the model noted. */
  private compare(action: Action): void {
    const notes = this.rig.takeNotes();
    for (const note of notes) {
      if (note.kind === "call") this.made.push(note.call);
      if (note.kind === "kvm" && note.event.kind === "commit")
        this.tables.push(note.event.argument);
    }
    checkAction(action, notes, this.files.trace, this.report);
  }
}

const place = (offset: number): number =>
  PAGE1_OFFSETS.includes(offset) ? offset + PAGE1 : offset;

const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");

function nameOf(record: Uint8Array): string {
  const words = wordsOf(record);
  const id = Number(getField(EVENT, words, "EventID"));
  const sid = getField(EVENT, words, "StreamID");
  return `${EVENT.caseOf(id)?.name ?? id} of SID 0x${sid.toString(16)}`;
}
