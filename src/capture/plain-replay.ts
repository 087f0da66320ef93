// Replays VFIO passthrough without a vIOMMU: KVM routes carry the address that the guest programmed
// (QEMU 11.1).
import { type IrqchipEvent, KvmIrqchip } from "../kvm/irqchip.ts";
import { RcuReader } from "../kvm/rcu.ts";
import { KvmVm } from "../kvm/vm.ts";
import { endpointConfig } from "../machine/endpoint-config.ts";
import { framesOf, viewOf } from "../machine/frames.ts";
import { formatBdf } from "../pci/bdf.ts";
import { PciBus } from "../pci/bus.ts";
import { PciFunction } from "../pci/function.ts";
import { globalAddressSpace } from "../pci/iommu.ts";
import { GITS_TRANSLATER } from "../spec/its-register.ts";
import { type VectorEvent, VfioPciDevice } from "../vfio/device.ts";
import { systemCall } from "../vfio/errno.ts";
import { VfioIrqs } from "../vfio/irqs.ts";
import { itsBase, type LoggedRouting, readCalls, routingsOf } from "./accel-calls.ts";
import { checkAction, checkRoutings } from "./accel-check.ts";
import type { Note } from "./accel-rig.ts";
import {
  type Action,
  ActionReader,
  bdfIn,
  entriesIn,
  type TraceLine,
  traceLines,
} from "./accel-trace.ts";
import { performVector, type VectorWorld } from "./accel-vectors.ts";
import { readText } from "./accel-views.ts";
import { readList } from "./capture.ts";
import type { ReplayJob } from "./replay-job.ts";
import type { ReportBuilder } from "./replay-report.ts";

const SETUP = "vfio_msix_early_setup";
const USE = "vfio_msix_vector_do_use";
const ADD = "kvm_irqchip_add_msi_route";

/** The section of a replay for passthrough without a vIOMMU. Other captures are left alone. */
export async function replayPlain({ capture, report }: ReplayJob): Promise<void> {
  const trace = await readText(capture, "vmm-trace.txt");
  const log = await readList(capture, "vmm-ioctls.jsonl");
  if (trace === undefined || log === undefined) return;
  const lines = traceLines(trace.text);
  if (!lines.some(({ name }) => name === SETUP) || /smmuv3_/.test(trace.text)) return;
  const calls = await readCalls(log.bytes, log.file);
  const files = { trace: trace.file, calls: log.file };
  const address = itsBase(calls) + BigInt(GITS_TRANSLATER.offset);
  new PlainReplay(lines, routingsOf(calls), address, files, report).run();
}

class PlainReplay {
  private readonly notes: Note[] = [];
  private readonly tables: Uint8Array[] = [];
  private readonly irqchip: KvmIrqchip;
  private readonly bus = new PciBus("pcie.0", { number: 0 });
  private readonly functions = new Map<string, VfioPciDevice>();
  private readonly vectors: VectorWorld;
  private nextFd = 1000;

  constructor(
    private readonly lines: readonly TraceLine[],
    private readonly routings: readonly LoggedRouting[],
    address: bigint,
    private readonly files: { readonly trace: string; readonly calls: string },
    private readonly report: ReportBuilder,
  ) {
    const fixup = {
      memory: globalAddressSpace(),
      ranges: viewOf(framesOf({ base: 0n, bytes: 0n }, "its")),
      rcu: new RcuReader(),
    };
    const onEvent = (event: IrqchipEvent): number => this.notes.push({ kind: "kvm", event });
    this.irqchip = new KvmIrqchip({ vm: new KvmVm(), fixup, onEvent });
    for (const line of lines) if (line.name === SETUP) this.plug(line);
    const { tables, functions } = this;
    this.vectors = {
      find: (bdf) => functions.get(bdf),
      routings,
      get committed() {
        return tables.length;
      },
      address,
    };
  }

  /** A function at the place that its routes name. */
  private plug(line: TraceLine): void {
    const bdf = bdfIn(line) ?? "";
    const vectors = entriesIn(line);
    const sid = this.requesterOf(bdf);
    const place = formatBdf({ domain: 0, bus: 0, devfn: sid });
    const fn = new PciFunction({ bdf: place, config: endpointConfig({ vectors }) });
    this.bus.plug(fn);
    const irqs = new VfioIrqs({ msix: vectors, msi: 0, express: true });
    const host = {
      setIrqs: (bytes: Uint8Array) =>
        systemCall(() => {
          irqs.set(bytes);
          return 0;
        }),
      openEventfd: () => this.nextFd++,
      closeEventfd: () => {},
    };
    const onVector = (event: VectorEvent): number =>
      this.notes.push({ kind: "vector", bdf, event });
    this.functions.set(bdf, new VfioPciDevice(fn, this.irqchip, host, { onVector }));
  }

  private requesterOf(bdf: string): number {
    const use = this.lines.findIndex((l) => l.name === USE && bdfIn(l) === bdf);
    const add = use < 0 ? undefined : this.lines.slice(use).find(({ name }) => name === ADD);
    const gsi = Number(/virq (\d+)/.exec(add?.text ?? "")?.[1] ?? -1);
    const message = this.routings.flatMap((r) => r.messages).find((m) => m.gsi === gsi);
    return message?.devid ?? 0;
  }

  run(): void {
    for (const action of new ActionReader(this.lines, this.files.trace).actions()) {
      try {
        this.perform(action);
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        const place = { file: this.files.trace, line: action.line, what: action.kind };
        const differs = { expected: "no error", got: error.message };
        this.report.checkAccel("vectors", place, differs);
      }
      this.compare(action);
    }
    checkRoutings(this.routings, this.tables, this.files.calls, this.report);
  }

  private perform(action: Action): void {
    switch (action.kind) {
      case "commit":
        this.irqchip.commitRoutes();
        break;
      case "enable":
      case "disable":
      case "use":
      case "release":
        performVector(action, this.vectors);
        break;
    }
  }

  private compare(action: Action): void {
    const notes = this.notes.splice(0);
    for (const note of notes)
      if (note.kind === "kvm" && note.event.kind === "commit")
        this.tables.push(note.event.argument);
    checkAction(action, notes, this.files.trace, this.report);
  }
}
