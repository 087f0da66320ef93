// System calls of a recorded VMM and of the model, in one comparable form: the log's own member
// names.
import { ITS_BASE } from "../machine/frames.ts";
import { errnoName } from "../spec/errno.ts";
import { unpack } from "../spec/uapi.ts";
import * as iommu from "../spec/uapi-iommufd.ts";
import { VFIO_DEVICE_ATTACH_IOMMUFD_PT, VFIO_DEVICE_BIND_IOMMUFD } from "../spec/uapi-vfio.ts";
import { wordsOf } from "../spec/word.ts";
import type { VfioCall } from "../vfio/container.ts";
import { COMMAND_BYTES } from "../vfio/iommufd/convert.ts";
import type { IoctlRecord } from "../vfio/iommufd/iommufd.ts";
import type { UserMemory } from "../vfio/user-memory.ts";
import { Field } from "./field.ts";
import type { Json } from "./json.ts";
import { parseLine, readLines } from "./lists.ts";

/** One call of the log. */
export interface LoggedCall {
  readonly line: number;
  readonly io: string;
  readonly failed: boolean;
  readonly members: Field;
}

/** One call of the model: every member that a log may have, as text. */
export interface ModelCall {
  readonly io: string;
  readonly failed: boolean;
  readonly members: Readonly<Record<string, string>>;
  /** Why it failed. */
  readonly reason: string | undefined;
}

/** KVM_SET_DEVICE_ATTR: where the ITS is. */
const ADDRESS_GROUP = 0;
const ITS_ADDRESS = 4;
/** Calls that the log gives to the model instead of asking for them. */
const INPUTS: readonly string[] = ["IOMMU_IOAS_MAP", "IOMMU_IOAS_MAP_FILE", "IOMMU_IOAS_UNMAP"];
const VFIO_NAMES = new Map([
  [VFIO_DEVICE_BIND_IOMMUFD, "VFIO_DEVICE_BIND_IOMMUFD"],
  [VFIO_DEVICE_ATTACH_IOMMUFD_PT, "VFIO_DEVICE_ATTACH_IOMMUFD_PT"],
]);
/** Members that say when, not what. */
const NO_MEMBERS: readonly string[] = ["seq", "io", "rc"];

/** True for a call that the model has to make by itself. */
export const isRequired = (io: string): boolean =>
  (io.startsWith("IOMMU_") && !INPUTS.includes(io)) || [...VFIO_NAMES.values()].includes(io);

/** Reads the log. */
export async function readCalls(bytes: Uint8Array, file: string): Promise<LoggedCall[]> {
  const calls: LoggedCall[] = [];
  for await (const batch of readLines(bytes, file))
    for (const [i, text] of batch.lines.entries()) {
      if (text.trim() === "") continue;
      const line = batch.first + i;
      const members = new Field(file, parseLine(text, file, line), `line ${line}`);
      const rc = Number(members.get("rc").value ?? 0);
      calls.push({ line, io: members.get("io").text(), failed: rc < 0, members });
    }
  return calls;
}

const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");

/** A value of the log as text: numbers in decimal whatever their form. */
function textOf(value: Json | undefined): string {
  if (Array.isArray(value)) return `[${value.map(textOf).join(" ")}]`;
  if (value !== null && typeof value === "object")
    return Object.entries(value)
      .map(([name, v]) => `${name}=${textOf(v)}`)
      .join(" ");
  if (typeof value === "string" && /^0x[0-9a-f]+$/i.test(value)) return BigInt(value).toString();
  return String(value);
}

const list = (values: readonly (bigint | number | string)[]): string => `[${values.join(" ")}]`;

/** Members of an iommufd call of the model. */
export function describeIommufd(record: IoctlRecord, memory: UserMemory): ModelCall {
  const { name: io, in: before, out: after, result, reason } = record;
  const raw = { raw_in: hex(before), raw_out: hex(after), raw: hex(after) };
  const details = DETAILS[io]?.(before, after, memory, result) ?? {};
  const members = { ...raw, ...details };
  return { io, failed: errnoName(result) !== undefined, members, reason };
}

/** Members of a VFIO call of the model; undefined for one that is not compared. */
export function describeVfio({ nr, in: before, out, result }: VfioCall): ModelCall | undefined {
  const io = VFIO_NAMES.get(nr);
  if (io === undefined) return undefined;
  const members = { raw_in: hex(before), raw_out: hex(out) };
  return { io, failed: result < 0, members, reason: errnoName(result) };
}

type Detail = (
  before: Uint8Array,
  after: Uint8Array,
  memory: UserMemory,
  result: number,
) => Record<string, string>;

const numbers = (values: Record<string, unknown>): Record<string, string> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]));

const DETAILS: Readonly<Record<string, Detail>> = {
  IOMMU_HWPT_ALLOC: (_, after, memory) => {
    const cmd = unpack(iommu.iommu_hwpt_alloc, after);
    const words = cmd.data_len === 0 ? [] : wordsOf(memory.read(cmd.data_uptr, cmd.data_len));
    return { ...numbers(cmd), data: list(words) };
  },
  IOMMU_VIOMMU_ALLOC: (_, after) => numbers(unpack(iommu.iommu_viommu_alloc, after)),
  IOMMU_VDEVICE_ALLOC: (_, after) => numbers(unpack(iommu.iommu_vdevice_alloc, after)),
  IOMMU_HWPT_INVALIDATE: (before, after, memory) => {
    const cmd = unpack(iommu.iommu_hwpt_invalidate, before);
    const { entry_num } = unpack(iommu.iommu_hwpt_invalidate, after);
    const bytes = memory.read(cmd.data_uptr, cmd.entry_num * COMMAND_BYTES);
    const cmds = Array.from({ length: cmd.entry_num }, (_, i) =>
      hex(bytes.subarray(i * COMMAND_BYTES, (i + 1) * COMMAND_BYTES)),
    );
    return { ...numbers(cmd), out_entry_num: String(entry_num), cmds: list(cmds) };
  },
  IOMMU_GET_HW_INFO: (before, after, memory, result) => {
    const { data_len, data_uptr } = unpack(iommu.iommu_hw_info, before);
    const cmd = unpack(iommu.iommu_hw_info, after);
    const head = { ...numbers(cmd), data_len: String(data_len) };
    if (result < 0 || cmd.out_data_type !== iommu.IOMMU_HW_INFO_TYPE_ARM_SMMUV3) return head;
    const { bytes } = iommu.iommu_hw_info_arm_smmuv3;
    const info = unpack(iommu.iommu_hw_info_arm_smmuv3, memory.read(data_uptr, bytes));
    const { flags, idr, iidr, aidr } = info;
    return {
      ...head,
      arm_smmuv3: `flags=${flags} idr=${list(idr)} iidr=${iidr} aidr=${aidr}`,
    };
  },
};

/** Hexadecimal digits of members that hold addresses of the caller: never the same twice. */
const ADDRESSES: Readonly<Record<string, readonly [from: number, to: number]>> = {
  IOMMU_IOAS_IOVA_RANGES: [32, 48],
};

function withoutAddresses(io: string, digits: string): string {
  const range = ADDRESSES[io];
  if (range === undefined) return digits;
  return `${digits.slice(0, range[0])}${"-".repeat(range[1] - range[0])}${digits.slice(range[1])}`;
}

/** The members of a logged call as text; addresses of the caller are left out. */
function describeLogged({ io, members }: LoggedCall): Record<string, string> {
  const kept = members.entries().filter(([name]) => !NO_MEMBERS.includes(name));
  return Object.fromEntries(
    kept.map(([name, field]) => [name, withoutAddresses(io, textOf(field.value))]),
  );
}

/** What differs between a logged call and the model's; undefined when nothing does. */
export function compareCalls(
  logged: LoggedCall,
  model: ModelCall | undefined,
): { expected: string; got: string } | undefined {
  if (model === undefined) return { expected: logged.io, got: "no call" };
  if (model.io !== logged.io) return { expected: logged.io, got: model.io };
  if (model.failed !== logged.failed)
    return {
      expected: logged.failed ? "failure" : "success",
      got: model.failed ? `failure: ${model.reason ?? ""}` : "success",
    };
  for (const [name, expected] of Object.entries(describeLogged(logged))) {
    const got = withoutAddresses(logged.io, model.members[name] ?? "not known");
    if (got !== expected) return { expected: `${name} ${expected}`, got: `${name} ${got}` };
  }
  return undefined;
}

/** KVM_SET_GSI_ROUTING as it was logged: entries in order. */
export interface LoggedRouting {
  readonly line: number;
  readonly nr: number;
  readonly entries: readonly string[];
  readonly messages: readonly {
    readonly gsi: number;
    readonly data: number;
    readonly devid: number;
  }[];
}

/** The routing tables of a log, in order. */
export function routingsOf(calls: readonly LoggedCall[]): LoggedRouting[] {
  return calls
    .filter(({ io }) => io === "KVM_SET_GSI_ROUTING")
    .map(({ line, members }) => ({
      line,
      nr: members.get("nr").u32(),
      entries: members.listOf("raw_msi_entries").map((f) => f.text()),
      messages: members.listOf("msi").map((f) => ({
        gsi: f.get("gsi").u32(),
        data: f.get("data").u32(),
        devid: f.optional("devid")?.u32() ?? 0,
      })),
    }));
}

/** ID registers of the host, from the first call that asked for them; undefined when none did. */
export function hostInfoOf(calls: readonly LoggedCall[]) {
  const asked = calls.find(
    ({ io, members }) => io === "IOMMU_GET_HW_INFO" && members.optional("arm_smmuv3"),
  );
  const info = asked?.members.get("arm_smmuv3");
  return (
    info && {
      flags: info.get("flags").u32(),
      idr: info.listOf("idr").map((f) => f.u32()),
      iidr: info.get("iidr").u32(),
      aidr: info.get("aidr").u32(),
    }
  );
}

/** Where the VMM put the ITS, by its calls; QEMU's own place when they do not say. */
export function itsBase(calls: readonly LoggedCall[]): bigint {
  const set = calls.find(
    ({ io, members }) =>
      io === "KVM_SET_DEVICE_ATTR" &&
      members.optional("group")?.u64() === BigInt(ADDRESS_GROUP) &&
      members.optional("attr")?.u64() === BigInt(ITS_ADDRESS),
  );
  return set?.members.get("value").u64() ?? ITS_BASE;
}
