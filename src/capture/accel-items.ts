// What the VMM did, as short texts: once from the lines of its trace, once from the notes of the
// model.
import type { AccelTallyName } from "./accel-report.ts";
import type { Note } from "./accel-rig.ts";
import { bdfIn, numberAfter, type TraceLine } from "./accel-trace.ts";

/** One act, comparable. */
export interface Item {
  readonly tally: AccelTallyName;
  readonly text: string;
  /** Line of the trace; undefined for the model's. */
  readonly line?: number;
}

type Reader = readonly [tally: AccelTallyName, text: (line: TraceLine) => string];

const n = (line: TraceLine, key: string): string => String(numberAfter(line, key) ?? "?");
const hex = (value: bigint | number | undefined): string =>
  value === undefined ? "?" : `0x${value.toString(16)}`;

const READERS: Readonly<Record<string, Reader>> = {
  iommufd_cdev_connect_and_bind: [
    "calls",
    (l) => `bind ${bdfIn(l)}: device ${n(l, "output devid")}`,
  ],
  iommufd_backend_alloc_ioas: ["calls", (l) => `IOAS ${n(l, "ioas")}`],
  iommufd_backend_alloc_hwpt: [
    "calls",
    (l) =>
      `HWPT ${n(l, "out_hwpt")} for device ${n(l, "dev_id")} under ${n(l, "pt_id")}, ` +
      `flags ${n(l, "flags")}, type ${n(l, "hwpt_type")}, ${n(l, "len")} bytes`,
  ],
  iommufd_cdev_pasid_attach_ioas_hwpt: [
    "attaches",
    (l) => `attach ${bdfIn(l)} to ${/id=(\d+)/.exec(l.text)?.[1]}`,
  ],
  iommufd_backend_alloc_viommu: [
    "calls",
    (l) =>
      `vIOMMU ${n(l, "viommu_id")} of type ${n(l, "type")} for device ${n(l, "dev_id")} ` +
      `on HWPT ${n(l, "hwpt_id")}`,
  ],
  iommufd_backend_alloc_vdev: [
    "calls",
    (l) =>
      `vDEVICE ${n(l, "vdev_id")} of device ${n(l, "dev_id")} in vIOMMU ${n(l, "viommu_id")}: ` +
      `SID ${hex(numberAfter(l, "virt_id"))}`,
  ],
  iommufd_viommu_alloc_eventq: [
    "calls",
    (l) =>
      `vEVENTQ ${n(l, "veventq_id")} of type ${n(l, "type")} in vIOMMU ${n(l, "viommu_id")}, ` +
      `file ${n(l, "veventq_fd")}`,
  ],
  iommufd_backend_invalidate_cache: [
    "invalidations",
    (l) => `invalidate ${n(l, "id")}: ${n(l, "done_num")} of ${n(l, "entry_num")}`,
  ],
  smmuv3_accel_set_iommu_device: [
    "calls",
    (l) => `devfn ${hex(numberAfter(l, "devfn"))} is device ${n(l, "devid")}`,
  ],
  smmuv3_accel_translate_ste: [
    "installs",
    (l) =>
      `SID ${hex(numberAfter(l, "vSID"))}: HWPT ${n(l, "hwpt_id")} for ` +
      `${/ste=(\S+)/.exec(l.text)?.[1]}`,
  ],
  smmuv3_accel_install_ste: [
    "installs",
    (l) =>
      `SID ${hex(numberAfter(l, "vSID"))}: ${/type=(\w+)/.exec(l.text)?.[1]}, ` +
      `HWPT ${n(l, "hwpt_id")}`,
  ],
  kvm_arm_fixup_msi_route: [
    "fixups",
    (l) => {
      const [iova, doorbell] = l.text.match(/0x[0-9a-f]+/g) ?? [];
      return `${iova} becomes ${doorbell}`;
    },
  ],
  kvm_irqchip_add_msi_route: [
    "routes",
    (l) => `vector ${/vector (\d+)/.exec(l.text)?.[1]} gets GSI ${/virq (\d+)/.exec(l.text)?.[1]}`,
  ],
  kvm_irqchip_update_msi_route: ["routes", (l) => `GSI ${n(l, "virq")} is updated`],
  kvm_irqchip_commit_routes: ["routes", () => "commit"],
  kvm_irqchip_release_virq: ["routes", (l) => `GSI ${/virq (\d+)/.exec(l.text)?.[1]} is free`],
  vfio_msix_vector_do_use: ["vectors", (l) => vectorText(l, "used")],
  vfio_msix_vector_release: ["vectors", (l) => vectorText(l, "released")],
};

const vectorText = (line: TraceLine, what: string): string =>
  `${bdfIn(line)} vector ${/vector (\d+)/.exec(line.text)?.[1]} ${what}`;

/** The act that a line tells; undefined for lines about anything else. */
export function itemOfLine(line: TraceLine): Item | undefined {
  const reader = READERS[line.name];
  return reader && { tally: reader[0], text: reader[1](line), line: line.line };
}

const CALLS: Readonly<Record<string, (m: Readonly<Record<string, string>>) => Item | undefined>> = {
  IOMMU_IOAS_ALLOC: (m) => ({ tally: "calls", text: `IOAS ${byteAt(m.raw_out, 8)}` }),
  IOMMU_HWPT_ALLOC: (m) => ({
    tally: "calls",
    text:
      `HWPT ${m.out_hwpt_id} for device ${m.dev_id} under ${m.pt_id}, flags ${m.flags}, ` +
      `type ${m.data_type}, ${m.data_len} bytes`,
  }),
  IOMMU_VIOMMU_ALLOC: (m) => ({
    tally: "calls",
    text:
      `vIOMMU ${m.out_viommu_id} of type ${m.type} for device ${m.dev_id} ` +
      `on HWPT ${m.hwpt_id}`,
  }),
  IOMMU_VDEVICE_ALLOC: (m) => ({
    tally: "calls",
    text:
      `vDEVICE ${m.out_vdevice_id} of device ${m.dev_id} in vIOMMU ${m.viommu_id}: ` +
      `SID ${hex(BigInt(m.virt_id))}`,
  }),
  IOMMU_VEVENTQ_ALLOC: (m) => ({
    tally: "calls",
    text:
      `vEVENTQ ${byteAt(m.raw, 20)} of type ${byteAt(m.raw, 12)} ` +
      `in vIOMMU ${byteAt(m.raw, 8)}, file ${byteAt(m.raw, 24)}`,
  }),
  IOMMU_HWPT_INVALIDATE: (m) => ({
    tally: "invalidations",
    text: `invalidate ${m.hwpt_id}: ${m.out_entry_num} of ${m.entry_num}`,
  }),
};

/** The 32-bit number at a byte offset of hexadecimal digits. */
function byteAt(digits: string, offset: number): number {
  const bytes = [3, 2, 1, 0].map((i) => digits.slice((offset + i) * 2, (offset + i) * 2 + 2));
  return Number.parseInt(bytes.join(""), 16);
}

/** The act of a note; undefined for acts that a trace does not show. */
export function itemOfNote(note: Note): Item | undefined {
  if (note.kind === "vector") {
    const { kind, vector } = note.event;
    const what = kind === "use" ? "used" : "released";
    return { tally: "vectors", text: `${note.bdf} vector ${vector} ${what}` };
  }
  if (note.kind === "call") return itemOfCall(note);
  return note.kind === "smmu" ? itemOfSmmu(note.event) : itemOfKvm(note.event);
}

function itemOfCall({ bdf, call }: Extract<Note, { kind: "call" }>): Item | undefined {
  const { io, members, failed } = call;
  if (failed) return undefined;
  if (io === "VFIO_DEVICE_BIND_IOMMUFD")
    return { tally: "calls", text: `bind ${bdf}: device ${byteAt(members.raw_out, 12)}` };
  if (io === "VFIO_DEVICE_ATTACH_IOMMUFD_PT")
    return { tally: "attaches", text: `attach ${bdf} to ${byteAt(members.raw_in, 8)}` };
  return CALLS[io]?.(members);
}

function itemOfSmmu(event: Extract<Note, { kind: "smmu" }>["event"]): Item | undefined {
  switch (event.kind) {
    case "device":
      return { tally: "calls", text: `devfn ${hex(event.devfn)} is device ${event.devid}` };
    case "translate": {
      const [word0, word1] = event.ste.map((w) => w.toString(16));
      const text = `SID ${hex(event.vsid)}: HWPT ${event.hwpt} for ${word1}:${word0}`;
      return { tally: "installs", text };
    }
    case "install": {
      const text = `SID ${hex(event.vsid)}: ${event.type}, HWPT ${event.hwpt}`;
      return { tally: "installs", text };
    }
    case "error":
      return { tally: "calls", text: `error: ${event.text}` };
    default:
      return undefined;
  }
}

function itemOfKvm(event: Extract<Note, { kind: "kvm" }>["event"]): Item | undefined {
  switch (event.kind) {
    case "fixup": {
      const { branch, address, doorbell } = event.fixup;
      if (branch === "global" || doorbell === undefined) return undefined;
      return { tally: "fixups", text: `${hex(address)} becomes ${hex(doorbell)}` };
    }
    case "add":
      return { tally: "routes", text: `vector ${event.vector} gets GSI ${event.gsi}` };
    case "update":
      return { tally: "routes", text: `GSI ${event.gsi} is updated` };
    case "release":
      return { tally: "routes", text: `GSI ${event.gsi} is free` };
    case "commit":
      return { tally: "routes", text: "commit" };
  }
}
