// What a faulting address gives away: a doorbell, a null or error pointer, a stale mapping.
import { hexOf } from "./fields.ts";
import { bitLength, bitRanges, hintOf } from "./hint.ts";
import type { DecodeOptions, EventRecord, Hint } from "./types.ts";

/** Offset of the doorbell register in its page, for every MSI controller of the GIC family. */
const DOORBELL_OFFSET = 0x040n;
const PAGE_MASK = 0xfffn;

/** Does a write to this address have the shape of an MSI? */
export const isDoorbellWrite = (e: Pick<EventRecord, "iova" | "direction">): boolean =>
  e.direction === "write" && e.iova !== undefined && (e.iova & PAGE_MASK) === DOORBELL_OFFSET;

function knownDoorbellHints(iova: bigint, doorbells: readonly bigint[]): Hint[] {
  return doorbells.map((known) => {
    const doorbell = hexOf(known);
    const xor = iova ^ known;
    return xor === 0n
      ? hintOf("msi-doorbell-equal", { doorbell })
      : hintOf("msi-doorbell-differs", { doorbell, bits: bitRanges(xor), xor: hexOf(xor) });
  });
}

function doorbellHints(iova: bigint, options: DecodeOptions): Hint[] {
  const hints = [hintOf("msi-doorbell"), ...knownDoorbellHints(iova, options.doorbells ?? [])];
  if ((iova & 0xffffn) === DOORBELL_OFFSET) hints.push(hintOf("msi-doorbell-physical"));
  return [
    ...hints,
    hintOf("msi-doorbell-unmapped"),
    hintOf("msi-doorbell-stream"),
    hintOf("msi-doorbell-next", { iova: hexOf(iova) }),
  ];
}

/** Patterns that allocators and list heads write into freed or uninitialised memory. */
const POISON = [
  /^(6b){4,8}$/,
  /^(5a){4,8}$/,
  /^(a5){4,8}$/,
  /^(cc){4,8}$/,
  /^(aa){4,8}$/,
  /^dead[0-9a-f]{4,12}$/,
  /^deadbeef/,
  /^(baadf00d|feedface|cafebabe)/,
];

const isPoison = (iova: bigint): boolean => POISON.some((p) => p.test(iova.toString(16)));

/** Kernel pointers: all of the upper 16 bits set. */
const isCpuVirtual = (iova: bigint): boolean => iova >> 48n === 0xffffn;
const isErrorValue = (iova: bigint): boolean => iova >= 0xfffffffffffff000n;
const isReleasable = (iova: bigint): boolean => iova >= 0x80000000n && iova <= 0xffffffffn;

/** What the value of the address suggests, most telling first. */
function shapeHints(e: EventRecord, iova: bigint): Hint[] {
  if (iova === 0n) return [hintOf("address-null")];
  if (iova <= PAGE_MASK) return [hintOf("address-near-null")];
  if (isErrorValue(iova) || iova === 0xffffffffn) return [hintOf("address-error-value")];
  if (isCpuVirtual(iova)) return [hintOf("address-cpu-virtual")];
  if (isPoison(iova)) return [hintOf("address-poison")];
  if (iova >> 48n !== 0n) return [hintOf("address-too-wide", { bits: bitLength(iova) })];
  if (e.event !== "F_TRANSLATION" || e.stage === 2) return [];
  return isReleasable(iova)
    ? [hintOf("address-released"), hintOf("address-unmapped")]
    : [hintOf("address-unmapped")];
}

/** Advice from the address of a translation fault. */
export function addressHints(e: EventRecord, options: DecodeOptions): Hint[] {
  const { iova } = e;
  if (iova === undefined) return [];
  if (isDoorbellWrite(e)) return doorbellHints(iova, options);
  return shapeHints(e, iova);
}
