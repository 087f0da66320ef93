// Replays a VMM that walks: an emulated vSMMU in front of devices whose MSI routes KVM serves (QEMU
// 11.1).
import type { Explanation } from "../engine/types.ts";
import { type IrqchipEvent, KvmIrqchip } from "../kvm/irqchip.ts";
import { RcuReader } from "../kvm/rcu.ts";
import { KvmVm } from "../kvm/vm.ts";
import { endpointConfig } from "../machine/endpoint-config.ts";
import { framesOf, viewOf } from "../machine/frames.ts";
import { formatBdf } from "../pci/bdf.ts";
import { PciBus } from "../pci/bus.ts";
import { PciFunction } from "../pci/function.ts";
import { globalAddressSpace } from "../pci/iommu.ts";
import { type LoggedRouting, readCalls, routingsOf } from "./accel-calls.ts";
import { checkRoutings } from "./accel-check.ts";
import { synthesizeCommand } from "./accel-guest.ts";
import { type Item, itemOfLine } from "./accel-items.ts";
import { numberAfter, type TraceLine, traceLines } from "./accel-trace.ts";
import { readText } from "./accel-views.ts";
import { readList } from "./capture.ts";
import { FallbackSmmu, type WalkStep, walkStep } from "./fallback-smmu.ts";
import type { ReplayJob } from "./replay-job.ts";
import type { ReportBuilder } from "./replay-report.ts";

const WALK = "smmu_ptw_level";
const SUCCESS = "smmuv3_translate_success";
const FIXUP = "kvm_arm_fixup_msi_route";
const ADD = "kvm_irqchip_add_msi_route";
const UPDATE = "kvm_irqchip_update_msi_route";
const COMMIT = "kvm_irqchip_commit_routes";
const READ_WRITE = 4;
/** Room for functions of the guest whose vectors are not known: MSI-X has at most this many. */
const VECTORS = 2048;

/** The section of a replay for a VMM that translates by itself. Other captures are left alone. */
export async function replayFallback({ capture, compat, report }: ReplayJob): Promise<void> {
  const trace = await readText(capture, "vmm-trace.txt");
  const log = await readList(capture, "vmm-ioctls.jsonl");
  if (trace === undefined || log === undefined || !trace.text.includes(SUCCESS)) return;
  const lines = traceLines(trace.text);
  const asid = lines.flatMap((l) => numberAfter(l, "asid") ?? [])[0] ?? 0n;
  const smmu = await FallbackSmmu.create(compat, asid);
  const routings = routingsOf(await readCalls(log.bytes, log.file));
  const files = { trace: trace.file, calls: log.file };
  new FallbackReplay(smmu, routings, files, report).run(lines);
}

/** A translation that a line claims. */
interface Claim {
  readonly sid: number;
  readonly iova: bigint;
  readonly pa: bigint;
  readonly perm: number;
}

class FallbackReplay {
  private readonly irqchip: KvmIrqchip;
  private readonly bus = new PciBus("pcie.0", { number: 0 });
  private readonly functions = new Map<number, PciFunction>();
  private readonly acts: IrqchipEvent[] = [];
  private readonly tables: Uint8Array[] = [];
  private readonly vectorOf = new Map<number, number>();
  private walk: WalkStep[] = [];
  private fixups = { walks: 0, hits: 0 };

  constructor(
    private readonly smmu: FallbackSmmu,
    private readonly routings: readonly LoggedRouting[],
    private readonly files: { readonly trace: string; readonly calls: string },
    private readonly report: ReportBuilder,
  ) {
    this.bus.iommuOps = {
      getAddressSpace: (bus, devfn) => smmu.spaceOf(bus.number * 256 + devfn),
    };
    this.irqchip = new KvmIrqchip({
      vm: new KvmVm(),
      fixup: {
        memory: globalAddressSpace(),
        ranges: viewOf(framesOf({ base: 0n, bytes: 0n }, "its")),
        rcu: new RcuReader(),
      },
      onEvent: (event) => this.note(event),
    });
  }

  private note(event: IrqchipEvent): void {
    this.acts.push(event);
    if (event.kind === "commit") this.tables.push(event.argument);
  }

  run(lines: readonly TraceLine[]): void {
    for (let i = 0; i < lines.length; i++) {
      try {
        i = this.perform(lines, i);
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        const { line, name } = lines[i];
        const differs = { expected: "no error", got: error.message };
        this.report.checkAccel("walks", { file: this.files.trace, line, what: name }, differs);
      }
    }
    const { walks, hits } = this.fixups;
    const { report, files } = this;
    checkRoutings(this.routings, this.tables, files.calls, report);
    report.accel.fallback = { fixups: walks + hits, vectors: this.vectorOf.size, walks, hits };
    report.note(
      `${walks + hits} fix-ups for ${this.vectorOf.size} vectors: ` +
        `${walks} walked, ${hits} hit the IOTLB`,
    );
  }

  /** Performs the act that starts at a line and gives the index of its last line. */
  private perform(lines: readonly TraceLine[], i: number): number {
    const line = lines[i];
    const step = line.name === WALK ? walkStep(line) : undefined;
    if (step !== undefined) this.step(step);
    else if (line.name === SUCCESS && lines[i + 1]?.name === FIXUP) {
      const end = commitAfter(lines, i);
      this.fixup(line, lines.slice(i + 1, end + 1));
      return end;
    } else if (line.name === SUCCESS) this.translation(line);
    else if (line.name === COMMIT) this.irqchip.commitRoutes();
    else if (line.name === "smmuv3_cmdq_opcode") this.command(lines, i);
    return i;
  }

  /** A descriptor of a walk; a walk that led nowhere ends where the next one starts. */
  private step(step: WalkStep): void {
    const last = this.walk.at(-1);
    if (last !== undefined && step.level <= last.level) this.walk = [];
    this.walk.push(step);
  }

  /** A TLBI of the guest; other commands change nothing that the trace shows. */
  private command(lines: readonly TraceLine[], at: number): void {
    const name = /SMMU_(CMD_\w+)/.exec(lines[at].text)?.[1] ?? "";
    if (!name.startsWith("CMD_TLBI")) return;
    let end = at + 1;
    while (lines[end]?.name.startsWith("smmuv3_") && lines[end].name.includes("inval")) end++;
    this.smmu.port.issue([synthesizeCommand({ name, lines: lines.slice(at + 1, end) })]);
  }

  private claim(line: TraceLine): Claim {
    const number = (key: string): bigint => numberAfter(line, key) ?? 0n;
    return {
      sid: Number(number("sid")),
      iova: number("iova"),
      pa: number("translated"),
      perm: Number(number("perm")),
    };
  }

  private translation(line: TraceLine): void {
    const claim = this.claim(line);
    this.smmu.prepare(claim.sid, this.walk);
    this.check(line, claim, this.smmu.translate(claim.sid, claim.iova));
  }

  /** A fix-up: its translation, then the route that is added or updated, then the commit. */
  private fixup(line: TraceLine, after: readonly TraceLine[]): void {
    const claim = this.claim(line);
    this.smmu.prepare(claim.sid, this.walk);
    this.fixups[this.walk.length > 0 ? "walks" : "hits"]++;
    this.acts.length = 0;
    this.smmu.last = undefined;
    this.route(claim, after);
    this.check(line, claim, this.smmu.last);
    const expected = after.flatMap((l) => itemOfLine(l) ?? []);
    const got = this.acts.flatMap((act) => itemOfAct(act) ?? []);
    for (const [i, item] of expected.entries()) {
      const place = { file: this.files.trace, line: item.line ?? line.line, what: item.tally };
      const differs = { expected: item.text, got: got[i]?.text ?? "nothing" };
      this.report.checkAccel(item.tally, place, differs.got === item.text ? undefined : differs);
    }
  }

  private route({ sid, iova }: Claim, after: readonly TraceLine[]): void {
    const fn = this.functionOf(sid);
    const added = after.find(({ name }) => name === ADD);
    const updated = after.find(({ name }) => name === UPDATE);
    const gsi = Number(/virq[ =](\d+)/.exec((added ?? updated)?.text ?? "")?.[1] ?? -1);
    const vector = Number(/vector (\d+)/.exec(added?.text ?? "")?.[1] ?? -1);
    const message = { address: iova, data: this.dataOf(gsi) };
    if (added !== undefined) {
      this.vectorOf.set(gsi, vector);
      this.irqchip.addMsiRoute(fn, vector, message);
    } else if (updated !== undefined) this.irqchip.updateMsiRoute(gsi, fn, message);
    if (after.at(-1)?.name === COMMIT) this.irqchip.commitRoutes();
  }

  private functionOf(sid: number): PciFunction {
    const known = this.functions.get(sid);
    if (known !== undefined) return known;
    const bdf = formatBdf({ domain: 0, bus: 0, devfn: sid % 256 });
    const made = new PciFunction({ bdf, config: endpointConfig({ vectors: VECTORS }) });
    this.bus.plug(made);
    this.functions.set(sid, made);
    return made;
  }

  /** Data of a GSI: that of the first table, from now on, which has it. */
  private dataOf(gsi: number): number {
    const later = this.routings.slice(this.tables.length).flatMap((r) => r.messages);
    return later.find((m) => m.gsi === gsi)?.data ?? 0;
  }

  /** The result, and the descriptors that were read: none for an IOTLB hit. */
  private check(line: TraceLine, claim: Claim, got: Explanation | undefined): void {
    const read = got?.steps.filter(({ what }) => what === "pte") ?? [];
    const text = (steps: readonly { readonly address: bigint; readonly value: bigint }[]) =>
      steps.map(({ address, value }) => `0x${address.toString(16)}:0x${value.toString(16)}`);
    const expected = `0x${claim.pa.toString(16)} perm ${claim.perm} ${text(this.walk).join(" ")}`;
    const perm = (got?.perm ?? 0) % READ_WRITE;
    const own = `0x${got?.pa?.toString(16)} perm ${perm} ${text(read).join(" ")}`;
    const what = `sid 0x${claim.sid.toString(16)} iova 0x${claim.iova.toString(16)}`;
    const place = { file: this.files.trace, line: line.line, what };
    this.report.checkAccel("walks", place, own === expected ? undefined : { expected, got: own });
    this.walk = [];
  }
}

/** Index of the last line of a fix-up that starts at a translation: its commit, if it has one. */
function commitAfter(lines: readonly TraceLine[], at: number): number {
  let end = at + 1;
  while ([ADD, UPDATE, COMMIT].includes(lines[end + 1]?.name)) {
    end++;
    if (lines[end].name === COMMIT) break;
  }
  return end;
}

function itemOfAct(act: IrqchipEvent): Item | undefined {
  switch (act.kind) {
    case "fixup": {
      const { address, doorbell } = act.fixup;
      const text = `0x${address.toString(16)} becomes 0x${doorbell?.toString(16)}`;
      return { tally: "fixups", text };
    }
    case "add":
      return { tally: "routes", text: `vector ${act.vector} gets GSI ${act.gsi}` };
    case "update":
      return { tally: "routes", text: `GSI ${act.gsi} is updated` };
    case "commit":
      return { tally: "routes", text: "commit" };
    default:
      return undefined;
  }
}
