// IOMMU_IOAS_*, IOMMU_OPTION, IOMMU_DESTROY: checks and effects of each call (Linux 7.2
// iommufd/ioas.c).
import type { CMembers, CStruct, CValues } from "../../spec/uapi.ts";
import { pack, unpack } from "../../spec/uapi.ts";
import * as uapi from "../../spec/uapi-iommufd.ts";
import { fail } from "../errno.ts";
import type { Protection } from "./driver.ts";
import { type AreaPages, Ioas, type IovaRange, lastOf, ULONG_MAX } from "./ioas.ts";
import type { Iommufd } from "./iommufd.ts";

/** The members of a structure as an ioctl reads and answers them. */
export type Command<L> = L extends CStruct<infer M extends CMembers> ? CValues<M> : never;

const { IOMMU_IOAS_MAP_READABLE: READABLE, IOMMU_IOAS_MAP_WRITEABLE: WRITEABLE } = uapi;
const FIXED_IOVA = uapi.IOMMU_IOAS_MAP_FIXED_IOVA;
const MAP_FLAGS = FIXED_IOVA | WRITEABLE | READABLE;

function protectionOf(flags: number): Protection {
  if ((flags & ~MAP_FLAGS) !== 0) fail("EOPNOTSUPP", `map flags 0x${flags.toString(16)}`);
  const protection = { read: (flags & READABLE) !== 0, write: (flags & WRITEABLE) !== 0 };
  return protection;
}

function refuseNoAccess(protection: Protection): void {
  if (!protection.read && !protection.write)
    fail("EINVAL", "a mapping must be readable or writable");
}

export function destroy(k: Iommufd, cmd: Command<typeof uapi.iommu_destroy>): void {
  k.objects.destroy(cmd.id);
}

export function ioasAlloc(k: Iommufd, cmd: Command<typeof uapi.iommu_ioas_alloc>): void {
  if (cmd.flags !== 0) fail("EOPNOTSUPP", "IOAS_ALLOC has no flags");
  cmd.out_ioas_id = k.objects.add(new Ioas()).id;
}

export function ioasIovaRanges(k: Iommufd, cmd: Command<typeof uapi.iommu_ioas_iova_ranges>): void {
  if (cmd.__reserved !== 0) fail("EOPNOTSUPP", "reserved member is set");
  const ioas = k.objects.get<Ioas>(cmd.ioas_id, "ioas");
  const ranges = ioas.allowedRanges();
  const room = cmd.num_iovas;
  for (const [i, { start, last }] of ranges.slice(0, room).entries())
    k.memory.write(
      cmd.allowed_iovas + BigInt(i * uapi.iommu_iova_range.bytes),
      pack(uapi.iommu_iova_range, { start, last }),
    );
  cmd.num_iovas = ranges.length;
  cmd.out_iova_alignment = ioas.alignment;
  if (ranges.length > room)
    k.respondThenFail("EMSGSIZE", `${ranges.length} ranges, room for ${room}`);
}

export function ioasAllowIovas(k: Iommufd, cmd: Command<typeof uapi.iommu_ioas_allow_iovas>): void {
  if (cmd.__reserved !== 0) fail("EOPNOTSUPP", "reserved member is set");
  const ioas = k.objects.get<Ioas>(cmd.ioas_id, "ioas");
  const { bytes } = uapi.iommu_iova_range;
  const ranges: IovaRange[] = [];
  for (let i = 0; i < cmd.num_iovas; i++) {
    const raw = k.memory.read(cmd.allowed_iovas + BigInt(i * bytes), bytes);
    ranges.push(unpack(uapi.iommu_iova_range, raw));
  }
  ioas.allow(ranges);
}

export function ioasMap(k: Iommufd, cmd: Command<typeof uapi.iommu_ioas_map>): void {
  const flags = cmd.flags;
  const protection = protectionOf(flags);
  if (cmd.__reserved !== 0) fail("EOPNOTSUPP", "reserved member is set");
  const [iova, length] = [cmd.iova, cmd.length];
  if (iova >= ULONG_MAX || length >= ULONG_MAX) fail("EOVERFLOW", "IOVA or length is all ones");
  refuseNoAccess(protection);
  const ioas = k.objects.get<Ioas>(cmd.ioas_id, "ioas");
  const pages: AreaPages = {
    userVa: cmd.user_va,
    memory: k.memory,
    writable: protection.write,
  };
  if (length === 0n) fail("EINVAL", "the length is 0");
  if (pages.userVa + length - 1n > ULONG_MAX) fail("EOVERFLOW", "the user range wraps");
  const fixed = (flags & FIXED_IOVA) !== 0;
  cmd.iova = ioas.map(fixed ? iova : undefined, length, pages, 0n, protection);
}

export function ioasUnmap(k: Iommufd, cmd: Command<typeof uapi.iommu_ioas_unmap>): void {
  const ioas = k.objects.get<Ioas>(cmd.ioas_id, "ioas");
  const [iova, length] = [cmd.iova, cmd.length];
  if (iova === 0n && length === ULONG_MAX) {
    cmd.length = ioas.unmapAll();
    return;
  }
  if (iova >= ULONG_MAX || length >= ULONG_MAX) fail("EOVERFLOW", "IOVA or length is all ones");
  cmd.length = ioas.unmap(iova, length);
}

export function ioasCopy(k: Iommufd, cmd: Command<typeof uapi.iommu_ioas_copy>): void {
  const flags = cmd.flags;
  const protection = protectionOf(flags);
  const length = cmd.length;
  const [from, to] = [cmd.src_iova, cmd.dst_iova];
  if (length >= ULONG_MAX || from >= ULONG_MAX || to >= ULONG_MAX)
    fail("EOVERFLOW", "an IOVA or the length is all ones");
  refuseNoAccess(protection);
  lastOf(from, length);
  const source = k.objects.get<Ioas>(cmd.src_ioas_id, "ioas");
  const areas = source.contiguous(from, length);
  const target = k.objects.get<Ioas>(cmd.dst_ioas_id, "ioas");
  const [area] = areas;
  if (areas.length > 1 && area.pages !== areas[1].pages)
    fail("EOPNOTSUPP", "this model copies one mapping at a time");
  const fixed = (flags & FIXED_IOVA) !== 0;
  const offset = area.offset + (from - area.iova);
  cmd.dst_iova = target.map(fixed ? to : undefined, length, area.pages, offset, protection);
}

export function option(k: Iommufd, cmd: Command<typeof uapi.iommu_option>): void {
  if (cmd.__reserved !== 0) fail("EOPNOTSUPP", "reserved member is set");
  const [id, op] = [cmd.option_id, cmd.op];
  if (id === uapi.IOMMU_OPTION_RLIMIT_MODE) {
    if (cmd.object_id !== 0) fail("EOPNOTSUPP", "the limit mode is of the whole fd");
    if (op === uapi.IOMMU_OPTION_OP_GET) cmd.val64 = k.limitByProcess ? 1n : 0n;
    else if (op === uapi.IOMMU_OPTION_OP_SET) setLimitMode(k, cmd.val64);
    else fail("EOPNOTSUPP", `option operation ${op}`);
    return;
  }
  if (id !== uapi.IOMMU_OPTION_HUGE_PAGES) fail("EOPNOTSUPP", `option ${id}`);
  const ioas = k.objects.get<Ioas>(cmd.object_id, "ioas");
  if (op === uapi.IOMMU_OPTION_OP_GET) cmd.val64 = ioas.largePages ? 1n : 0n;
  else if (op !== uapi.IOMMU_OPTION_OP_SET) fail("EOPNOTSUPP", `option operation ${op}`);
  else if (cmd.val64 > 1n) fail("EINVAL", "the option is 0 or 1");
  else ioas.largePages = cmd.val64 === 1n;
}

function setLimitMode(k: Iommufd, value: bigint): void {
  if (k.objects.list().length > 0) fail("EBUSY", "the limit mode is set before any object exists");
  if (value > 1n) fail("EINVAL", "the option is 0 or 1");
  k.limitByProcess = value === 1n;
}
