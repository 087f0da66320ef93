// Which advice fits an event: rules over the decoded record and what else is known of the system.
import { fieldValues, hexOf, valueIn } from "./fields.ts";
import { bdfOf, bitLength, type HintId, hintOf } from "./hint.ts";
import { HINT_TEXTS } from "./hint-texts.ts";
import { addressHints, isDoorbellWrite } from "./hints-address.ts";
import type { DecodeOptions, EventRecord, Hint, StructureRecord } from "./types.ts";

/** What else is known when an event is explained. */
export interface Surrounding {
  readonly options: DecodeOptions;
  /** Entries found in the same input. */
  readonly structures: readonly StructureRecord[];
  /** STRTAB_BASE_CFG.LOG2SIZE from a register dump. */
  readonly log2size?: number;
  /** SIDs that the kernel's text names a client for. */
  readonly clients: ReadonlyMap<number, string>;
  /** IOMMU groups of devices, from the boot log. */
  readonly groups: ReadonlyMap<string, number>;
}

const number = (value: bigint | number | undefined): string =>
  value === undefined ? "an unknown address" : hexOf(value);

function accessOf(e: EventRecord): string {
  if (e.instruction === true) return "execute";
  return e.direction ?? "reach";
}

/** The sentence about this event, with its numbers. */
function meaningHints(e: EventRecord): Hint[] {
  const id = `event-${e.event}`;
  if (e.id < 0) return [hintOf("event-unnamed")];
  if (!(id in HINT_TEXTS))
    return [hintOf(e.id >= 0xe0 && e.id <= 0xef ? "event-impdef" : "event-reserved")];
  const hints = [
    hintOf(id as HintId, {
      who: e.sid === undefined ? "A stream" : `stream ${hexOf(e.sid)}`,
      access: accessOf(e),
      iova: number(e.iova),
      fetch: number(e.fetchAddr),
      ssid: e.ssid === undefined ? "?" : hexOf(e.ssid),
      stage: e.stage === undefined ? "the SMMU" : `stage ${e.stage}`,
    }),
  ];
  if (e.stall === true)
    hints.push(hintOf("event-stalled", { stag: number(valueIn(e.fields, "STAG")) }));
  if (e.stage === 2 && e.class === "TT") hints.push(hintOf("class-tt"));
  if (e.stage === 2 && e.class === "CD") hints.push(hintOf("class-cd"));
  return hints;
}

/** Which PCI function a StreamID is, by arithmetic. */
function streamHints(e: EventRecord, around: Surrounding): Hint[] {
  if (e.sid === undefined) return [];
  const hints: Hint[] = [];
  const base = around.options.sidBase;
  const rid = e.sid - (base ?? 0);
  const sid = hexOf(e.sid);
  if (rid >= 0 && rid <= 0xffff)
    hints.push(
      hintOf("sid-bdf", {
        sid,
        bdf: bdfOf(rid),
        base: base === undefined ? "" : ` plus ${hexOf(base)}`,
      }),
    );
  else hints.push(hintOf("sid-wide", { sid, bdf: bdfOf(e.sid % 0x10000) }));
  const client = e.client ?? around.clients.get(e.sid);
  if (client !== undefined)
    hints.push(
      /unassigned/.test(client) ? hintOf("next-unassigned") : hintOf("next-client", { client }),
    );
  else if (rid >= 0 && rid <= 0xffff) hints.push(...groupHints(bdfOf(rid), around));
  return hints;
}

function groupHints(bdf: string, around: Surrounding): Hint[] {
  for (const [device, group] of around.groups)
    if (device.endsWith(bdf)) return [hintOf("next-group", { device, group })];
  return [];
}

function badStreamHints(e: EventRecord, around: Surrounding): Hint[] {
  const sid = e.sid === undefined ? "?" : hexOf(e.sid);
  const bits = e.sid === undefined ? "?" : bitLength(e.sid);
  const size = around.log2size;
  const known =
    size === undefined
      ? []
      : [hintOf("sid-table-known", { log2size: size, limit: hexOf(2 ** size) })];
  return [
    ...known,
    hintOf("sid-unmapped"),
    hintOf("sid-table-size", { sid, bits }),
    hintOf("sid-l1-empty"),
    hintOf("next-sid", { sid }),
  ];
}

/** The entry of this stream, if the input has it. */
function entryFor(
  e: EventRecord,
  around: Surrounding,
  structure: "STE" | "CD",
): StructureRecord | undefined {
  const all = around.structures.filter((s) => s.structure === structure);
  const bdf = e.sid === undefined ? undefined : bdfOf(e.sid % 0x10000);
  const named = all.find(
    (s) =>
      s.owner !== undefined &&
      (s.owner === e.client || (bdf !== undefined && s.owner.endsWith(bdf))),
  );
  return named ?? (all.length === 1 && all[0].owner === undefined ? all[0] : undefined);
}

function badEntryHints(e: EventRecord, around: Surrounding, structure: "STE" | "CD"): Hint[] {
  const entry = entryFor(e, around, structure);
  if (entry?.legality === "invalid")
    return [hintOf("ste-rule", { rule: "V=0, the entry is not valid" })];
  if (entry?.legality === "illegal")
    return entry.illegal.map(({ text }) => hintOf("ste-rule", { rule: text }));
  return structure === "STE"
    ? [hintOf("ste-invalid"), hintOf("ste-config"), hintOf("next-ste")]
    : [hintOf("cd-invalid"), hintOf("cd-passthrough")];
}

function fetchHints(e: EventRecord): Hint[] {
  const hints: Hint[] = [hintOf(e.event === "F_WALK_EABT" ? "walk-eabt" : "fetch-abort")];
  if (valueIn(e.fields, "GPCF") === 1n) hints.unshift(hintOf("fetch-gpf"));
  const word = e.complete ? e.words[2] : 0n;
  if (e.event !== "F_WALK_EABT" && e.fetchAddr === 0n && (word ?? 0n) !== 0n)
    hints.push(hintOf("qemu-fetch-address", { address: hexOf(word ?? 0n) }));
  else if (e.fetchAddr !== undefined)
    hints.push(hintOf("next-memory", { fetch: hexOf(e.fetchAddr) }));
  return hints;
}

/** Stage 2 faults: whose address it was that the hypervisor does not map. */
function stage2Hints(e: EventRecord): Hint[] {
  const ipa = e.ipa === undefined ? "unknown" : hexOf(e.ipa);
  const hints: Hint[] = [];
  if (e.class === "TT") {
    const update = e.event === "F_PERMISSION" && valueIn(e.fields, "TTRnW") === 0n;
    hints.push(hintOf(update ? "s2-tt-write" : "s2-tt", { ipa }));
  } else if (e.class === "CD") {
    const implausible = e.ipa === 0n && e.iova !== 0n;
    hints.push(implausible ? hintOf("class-implausible") : hintOf("s2-cd", { ipa }));
  } else if (e.class === "IN") {
    hints.push(hintOf("s2-in", { ipa }));
    if (isDoorbellWrite(e)) hints.push(hintOf("s2-msi"));
  }
  if (e.ipa !== undefined && e.ipa !== 0n) hints.push(hintOf("next-s2", { ipa }));
  return hints;
}

function permissionHints(e: EventRecord): Hint[] {
  if (e.direction === "write") return [hintOf("permission-write")];
  if (e.instruction === true) return [hintOf("permission-exec")];
  return e.direction === "read" ? [hintOf("permission-read")] : [];
}

/** Faults of an address, by event. */
function translationHints(e: EventRecord, around: Surrounding): Hint[] {
  if (e.stage === 2 && e.event !== "F_WALK_EABT")
    return [...addressHints(e, around.options), ...stage2Hints(e)];
  const about = addressHints(e, around.options);
  switch (e.event) {
    case "F_TRANSLATION":
      return isDoorbellWrite(e) ? about : [...about, hintOf("next-map")];
    case "F_PERMISSION":
      return [...about, ...permissionHints(e)];
    case "F_ACCESS":
      return [...about, hintOf("access-flag")];
    default:
      return [...about, hintOf("address-size")];
  }
}

const CAUSES: Readonly<Record<string, (e: EventRecord, around: Surrounding) => Hint[]>> = {
  F_UUT: (e) => [hintOf("uut", { reason: number(valueIn(e.fields, "Reason")) })],
  C_BAD_STREAMID: badStreamHints,
  F_STE_FETCH: fetchHints,
  C_BAD_STE: (e, around) => badEntryHints(e, around, "STE"),
  F_BAD_ATS_TREQ: () => [hintOf("ats-request")],
  F_STREAM_DISABLED: () => [hintOf("stream-disabled")],
  F_TRANSL_FORBIDDEN: () => [hintOf("ats-request")],
  C_BAD_SUBSTREAMID: () => [hintOf("substream-range")],
  F_CD_FETCH: fetchHints,
  C_BAD_CD: (e, around) => badEntryHints(e, around, "CD"),
  F_WALK_EABT: fetchHints,
  F_TRANSLATION: translationHints,
  F_ADDR_SIZE: translationHints,
  F_ACCESS: translationHints,
  F_PERMISSION: translationHints,
  F_TLB_CONFLICT: () => [hintOf("tlb-conflict")],
  F_CFG_CONFLICT: () => [hintOf("cfg-conflict")],
  F_VMS_FETCH: fetchHints,
};

function bitHints(e: EventRecord): Hint[] {
  const bits = e.fields
    .filter((f) => f.kind === "reserved")
    .map((f) => (f.hi === f.lo ? `${f.hi}` : `${f.hi}:${f.lo}`));
  return bits.length === 0 ? [] : [hintOf("reserved-bits", { bits: bits.join(", ") })];
}

function walkHints(e: EventRecord): Hint[] {
  const last = e.walk?.[e.walk.length - 1];
  if (last === undefined) return [];
  const { stage, level, value } = last;
  const address = last.address === undefined ? "an address not shown" : hexOf(last.address);
  return [hintOf("walk-seen", { stage, level, value: hexOf(value), address })];
}

const ORDER = { meaning: 0, cause: 1, next: 2 } as const;
const RANK = { certain: 0, high: 1, medium: 2, low: 3 } as const;

/** Paragraph by paragraph; what is surer first among the causes. */
export function inOrder(hints: readonly Hint[]): Hint[] {
  return [...hints].sort(
    (a, b) =>
      ORDER[a.part] - ORDER[b.part] ||
      (a.part === "cause" ? RANK[a.confidence] - RANK[b.confidence] : 0),
  );
}

/** All the advice about one event, sorted for reading. */
export function eventHints(e: EventRecord, around: Surrounding): Hint[] {
  const causes = CAUSES[e.event]?.(e, around) ?? [];
  return inOrder([
    ...meaningHints(e),
    ...causes,
    ...streamHints(e, around),
    ...walkHints(e),
    ...bitHints(e),
  ]);
}

/** LOG2SIZE in a STRTAB_BASE_CFG value of a register dump. */
export const log2sizeOf = (layout: Parameters<typeof fieldValues>[0], value: bigint): number =>
  Number(valueIn(fieldValues(layout, [value]), "LOG2SIZE") ?? 0n);
