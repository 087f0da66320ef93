// A VMM's trace of an accelerated run: lines grouped into what was done to the model and what it
// did (QEMU 11.1).
import { InputError } from "./errors.ts";

/** One line of the trace. */
export interface TraceLine {
  /** 1-based number in the file. */
  readonly line: number;
  /** Name of the trace point. */
  readonly name: string;
  readonly text: string;
}

/** A register access. */
export interface AccessLine {
  readonly offset: number;
  readonly value: bigint;
  readonly size: 4 | 8;
}

/** A range that the VMM asked to map into the IO address space. */
export interface MapLine {
  readonly iova: bigint;
  readonly bytes: bigint;
  readonly va: bigint;
  readonly failed: boolean;
}

/** What the outside did to the VMM, and the lines that tell what the VMM did about it. */
export type Action = { readonly line: number; readonly effects: readonly TraceLine[] } & (
  | { readonly kind: "commit" }
  | {
      readonly kind: "device";
      /** "0000:00:05.0" on the host. */
      readonly hostBdf: string;
      readonly devfn: number;
      readonly iommufd: number;
      readonly vectors: number;
      readonly maps: readonly MapLine[];
    }
  | { readonly kind: "reset" }
  | { readonly kind: "map"; readonly map: MapLine }
  | { readonly kind: "unmap"; readonly map: Pick<MapLine, "iova" | "bytes"> }
  | ({ readonly kind: "write" } & AccessLine)
  | ({ readonly kind: "read" } & AccessLine)
  | { readonly kind: "enable"; readonly bdf: string; readonly vectors: readonly number[] }
  | { readonly kind: "use"; readonly bdf: string; readonly vector: number }
  | { readonly kind: "release"; readonly bdf: string; readonly vector: number }
  | { readonly kind: "disable"; readonly bdf: string }
  | { readonly kind: "event"; readonly event: string; readonly sid: number }
);

/** Splits the text of a trace; empty lines are left out. */
export function traceLines(text: string): TraceLine[] {
  return text.split("\n").flatMap((row, i) => {
    const space = row.indexOf(" ");
    if (row.trim() === "") return [];
    const name = space < 0 ? row : row.slice(0, space);
    return [{ line: i + 1, name, text: space < 0 ? "" : row.slice(space + 1).trim() }];
  });
}

/** The number behind `key=`, `key:` or `key: `, decimal or 0x; undefined when it is not there. */
export function numberAfter(line: TraceLine, key: string): bigint | undefined {
  const at = new RegExp(`(?:^|[^\\w.])${key} ?[=:] ?(-?(?:0x[0-9a-fA-F]+|\\d+))`);
  const found = at.exec(line.text)?.[1];
  if (found === undefined) return undefined;
  return found.startsWith("-") ? -BigInt(found.slice(1)) : BigInt(found);
}

const BDF = /[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]/;

/** The host address of a function that a line names. */
export const bdfIn = (line: TraceLine): string | undefined => BDF.exec(line.text)?.[0];

/** MSI-X has at most this many vectors. */
const VECTORS_MAX = 2048;

/** Vectors of the function that a vfio_msix_early_setup line is about. */
export const entriesIn = (line: TraceLine): number =>
  Math.min(VECTORS_MAX, Number(/entries (\d+)/.exec(line.text)?.[1] ?? 0));

/** Lines of the model's own work that a device being connected causes. */
const CONNECT_ENDS = "smmuv3_accel_set_iommu_device";
const VECTOR_RELEASES = ["vfio_msix_vector_release", "kvm_irqchip_release_virq"];

/** Groups a trace into actions. */
export class ActionReader {
  private at = 0;
  private effects: TraceLine[] = [];

  private readonly hasControlWrites: boolean;

  constructor(
    private readonly lines: readonly TraceLine[],
    private readonly file: string,
  ) {
    this.hasControlWrites = lines.some(({ name }) => name === "msix_write_config");
  }

  /** Every action in order. Effects that no action follows come with a last one of their own. */
  *actions(): Generator<Action> {
    while (this.at < this.lines.length) {
      const action = this.next(this.lines[this.at]);
      if (action !== undefined) yield action;
    }
  }

  private next(line: TraceLine): Action | undefined {
    this.at++;
    switch (line.name) {
      case "iommufd_cdev_getfd":
        return this.device(line);
      case "smmu_reset_exit":
        return this.reset(line);
      case "iommufd_backend_map_dma":
      case "iommufd_backend_map_file_dma":
        return { kind: "map", map: this.map(line), ...this.take(line) };
      case "iommufd_backend_unmap_dma_non_exist":
      case "iommufd_backend_unmap_dma":
        return { kind: "unmap", map: this.unmap(line), ...this.take(line) };
      case "smmuv3_write_mmio":
        return { kind: "write", ...this.access(line), ...this.take(line) };
      case "smmuv3_read_mmio":
        return { kind: "read", ...this.access(line), ...this.take(line) };
      case "smmuv3_propagate_event":
        return this.event(line);
      case "kvm_irqchip_commit_routes":
        return { kind: "commit", ...this.take(line) };
      default:
        return this.vectors(line);
    }
  }

  private vectors(line: TraceLine): Action | undefined {
    const bdf = bdfIn(line) ?? "";
    switch (line.name) {
      case "vfio_msix_enable":
        return this.enable(line, bdf);
      case "vfio_msix_vector_do_use":
        return this.use(line, bdf);
      case "vfio_msix_vector_release":
        return this.release(line, bdf);
      case "msix_write_config":
        return this.disable(line);
      default:
        this.effects.push(line);
        return undefined;
    }
  }

  private take(line: TraceLine): { line: number; effects: readonly TraceLine[] } {
    const { effects } = this;
    this.effects = [];
    return { line: line.line, effects };
  }

  /** Lines from here on that a test accepts, as effects. */
  private collect(accepts: (line: TraceLine) => boolean): void {
    while (this.at < this.lines.length && accepts(this.lines[this.at]))
      this.effects.push(this.lines[this.at++]);
  }

  private fail(line: TraceLine, what: string): never {
    throw new InputError(this.file, what, { line: line.line });
  }

  private number(line: TraceLine, key: string): bigint {
    return numberAfter(line, key) ?? this.fail(line, `${line.name} without ${key}`);
  }

  private device(first: TraceLine): Action {
    const maps: MapLine[] = [];
    let hostBdf: string | undefined;
    let vectors = 0;
    let iommufd = 0;
    for (; this.at < this.lines.length; this.at++) {
      const line = this.lines[this.at];
      if (line.name === "iommufd_backend_map_dma") maps.push(this.map(line));
      else if (line.name === "iommufd_backend_connect") iommufd = Number(this.number(line, "fd"));
      else this.effects.push(line);
      if (line.name === "iommufd_cdev_connect_and_bind") hostBdf = bdfIn(line);
      if (line.name === "vfio_msix_early_setup") vectors = entriesIn(line);
      if (line.name !== CONNECT_ENDS) continue;
      this.at++;
      if (hostBdf === undefined) this.fail(line, "the device was not bound before");
      const devfn = Number(this.number(line, "devfn"));
      return { kind: "device", hostBdf, devfn, iommufd, vectors, maps, ...this.take(first) };
    }
    return this.fail(first, "the trace ends while a device is connected");
  }

  /** Reset is printed before what it does. */
  private reset(line: TraceLine): Action {
    this.effects = [];
    this.collect(({ name }) => name === "iommufd_cdev_pasid_attach_ioas_hwpt");
    return { kind: "reset", ...this.take(line) };
  }

  private map(line: TraceLine): MapLine {
    return {
      iova: this.number(line, "iova"),
      bytes: this.number(line, "size"),
      va: numberAfter(line, "addr") ?? this.number(line, "start"),
      failed: line.text.endsWith("(-1)"),
    };
  }

  private unmap(line: TraceLine): Pick<MapLine, "iova" | "bytes"> {
    return { iova: this.number(line, "iova"), bytes: this.number(line, "size") };
  }

  private access(line: TraceLine): AccessLine {
    const size = this.number(line, "size") === 8n ? 8 : 4;
    const offset = Number(this.number(line, "addr"));
    return { offset, value: this.number(line, "val"), size };
  }

  private event(line: TraceLine): Action {
    const event = /SMMU_EVT_(\w+)/.exec(line.text)?.[1] ?? this.fail(line, "no event name");
    const sid = Number(this.number(line, "sid"));
    return { kind: "event", event, sid, ...this.take(line) };
  }

  private vector(line: TraceLine): number {
    return Number(/vector (\d+)/.exec(line.text)?.[1] ?? this.fail(line, "no vector"));
  }

  /** Vectors that were usable already follow at once, with one commit at the end. */
  private enable(line: TraceLine, bdf: string): Action {
    const vectors: number[] = [];
    const batch = this.batch();
    for (const used of batch.filter(({ name }) => name === "vfio_msix_vector_do_use"))
      vectors.push(this.vector(used));
    this.effects.push(...batch);
    this.at += batch.length;
    return { kind: "enable", bdf, vectors, ...this.take(line) };
  }

  /**
   * Lines of vectors that are used while MSI-X is being switched on; none when each commits alone.
   */
  private batch(): TraceLine[] {
    const run: TraceLine[] = [];
    for (let i = this.at; i < this.lines.length; i++) {
      const { name } = this.lines[i];
      if (!name.startsWith("vfio_msix_vector_do_use") && !isRouteLine(name)) break;
      run.push(this.lines[i]);
      if (name === "kvm_irqchip_commit_routes") break;
    }
    return run[0]?.name === "vfio_msix_vector_do_use" ? run : [];
  }

  private use(line: TraceLine, bdf: string): Action {
    this.effects.push(line);
    this.collect(({ name }) => isRouteLine(name));
    return { kind: "use", bdf, vector: this.vector(line), ...this.take(line) };
  }

  /**
   * A vector is masked; or MSI-X is switched off, in a trace without control writes: then a release
   * of each vector that was used leads to the line that says so.
   */
  private release(line: TraceLine, bdf: string): Action {
    const { end, distinct } = this.releasesFrom(this.at - 1);
    const off = !this.hasControlWrites && this.lines[end]?.name === "vfio_msix_disable";
    if (!off || !distinct)
      return { kind: "release", bdf, vector: this.vector(line), ...this.take(line) };
    this.effects.push(...this.lines.slice(this.at - 1, end));
    this.at = end + 1;
    return { kind: "disable", bdf, ...this.take(line) };
  }

  /** Index after a run of releases, and whether no vector is released twice in it. */
  private releasesFrom(start: number): { end: number; distinct: boolean } {
    let end = start;
    const vectors: number[] = [];
    for (; VECTOR_RELEASES.includes(this.lines[end]?.name); end++)
      if (this.lines[end].name === "vfio_msix_vector_release")
        vectors.push(this.vector(this.lines[end]));
    return { end, distinct: new Set(vectors).size === vectors.length };
  }

  /**
   * MSI-X is switched off: releases, then the line that says so. Other control writes do nothing.
   */
  private disable(line: TraceLine): Action | undefined {
    if (!line.text.includes("enabled 0")) return undefined;
    const { end } = this.releasesFrom(this.at);
    const last = this.lines[end];
    if (last?.name !== "vfio_msix_disable") return undefined;
    this.effects.push(...this.lines.slice(this.at, end));
    this.at = end + 1;
    return { kind: "disable", bdf: bdfIn(last) ?? "", ...this.take(line) };
  }
}

const ROUTE_LINES: readonly string[] = [
  "kvm_arm_fixup_msi_route",
  "kvm_irqchip_add_msi_route",
  "kvm_irqchip_update_msi_route",
  "kvm_irqchip_commit_routes",
  "vfio_msix_pba_disable",
];

const isRouteLine = (name: string): boolean => ROUTE_LINES.includes(name);
