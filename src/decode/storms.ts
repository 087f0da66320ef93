// Counts faults that repeat, so that a thousand lines read as one sentence.
import { hexOf } from "./fields.ts";
import { hintOf } from "./hint.ts";
import type { DecodedRecord, EventRecord, Hint, Storm } from "./types.ts";

/** Records of one fault from which on they count as a storm. */
const STORM_RECORDS_MIN = 8;
/** Addresses that lie closer together than this are pieces of one access. */
const ACCESS_BYTES = 64n;
/** Distinct addresses that are kept to count them. */
const ADDRESSES_MAX = 4096;

const keyOf = (e: EventRecord): string =>
  [e.event, e.sid, e.direction, e.stage, e.class, e.source].join("/");

interface Group {
  readonly first: EventRecord;
  last: EventRecord;
  count: number;
  rising: boolean;
  readonly addresses: Set<bigint>;
  min: bigint | undefined;
  max: bigint | undefined;
}

function add(group: Group, e: EventRecord): void {
  group.count++;
  const { iova } = e;
  if (iova !== undefined) {
    if (group.last.iova !== undefined && iova < group.last.iova) group.rising = false;
    if (group.addresses.size < ADDRESSES_MAX) group.addresses.add(iova);
    if (group.min === undefined || iova < group.min) group.min = iova;
    if (group.max === undefined || iova > group.max) group.max = iova;
  }
  group.last = e;
}

function groupsOf(events: readonly EventRecord[]): Group[] {
  const groups = new Map<string, Group>();
  for (const e of events) {
    const key = keyOf(e);
    let group = groups.get(key);
    if (group === undefined) {
      group = {
        first: e,
        last: e,
        count: 0,
        rising: true,
        addresses: new Set(),
        min: undefined,
        max: undefined,
      };
      groups.set(key, group);
    }
    add(group, e);
  }
  return [...groups.values()];
}

function secondsOf(group: Group): number | undefined {
  const { first, last } = group;
  if (first.time === undefined || last.time === undefined) return undefined;
  return Math.max(0, Math.round((last.time - first.time) * 1e6) / 1e6);
}

function addressText(addresses: number): string {
  if (addresses === 0) return "";
  if (addresses === 1) return " at one address";
  return ` at ${addresses === ADDRESSES_MAX ? `${ADDRESSES_MAX} or more` : addresses} addresses`;
}

const spread = (group: Group): bigint =>
  group.min === undefined || group.max === undefined ? 0n : group.max - group.min;

function hintsOf(group: Group): Hint[] {
  const seconds = secondsOf(group);
  const addresses = group.addresses.size;
  const hints = [
    hintOf("storm", {
      count: group.count,
      addresses: addressText(addresses),
      span: seconds === undefined ? "" : ` within ${seconds} seconds`,
    }),
  ];
  if (addresses === 1) hints.push(hintOf("storm-one-address"));
  if (addresses > 1 && spread(group) < ACCESS_BYTES) hints.push(hintOf("storm-split"));
  else if (addresses >= STORM_RECORDS_MIN && group.rising) hints.push(hintOf("storm-sweep"));
  return hints;
}

const stormOf = (group: Group): Storm => {
  const { first, last } = group;
  const seconds = secondsOf(group);
  return {
    event: first.event,
    ...(first.sid === undefined ? {} : { sid: first.sid }),
    ...(first.direction === undefined ? {} : { direction: first.direction }),
    ...(group.min === undefined ? {} : { iovaMin: group.min }),
    ...(group.max === undefined ? {} : { iovaMax: group.max }),
    count: group.count,
    addresses: group.addresses.size,
    ...(first.line === undefined ? {} : { firstLine: first.line }),
    ...(last.line === undefined ? {} : { lastLine: last.line }),
    ...(seconds === undefined ? {} : { seconds }),
    hints: hintsOf(group),
  };
};

/** Faults that occur at least eight times, most frequent first. */
export function stormsOf(records: readonly DecodedRecord[]): Storm[] {
  const events = records.filter((r): r is EventRecord => r.kind === "event");
  return groupsOf(events)
    .filter((g) => g.count >= STORM_RECORDS_MIN)
    .sort((a, b) => b.count - a.count)
    .map(stormOf);
}

/** Is this record a repetition of an earlier one, up to the address? */
export function repetitions(records: readonly DecodedRecord[]): ReadonlySet<DecodedRecord> {
  const seen = new Set<string>();
  const repeated = new Set<DecodedRecord>();
  for (const r of records) {
    if (r.kind !== "event") continue;
    const key = keyOf(r);
    if (seen.has(key)) repeated.add(r);
    seen.add(key);
  }
  return repeated;
}

/** One line about a storm. */
export function stormText(storm: Storm): string {
  const where = storm.sid === undefined ? "" : ` of stream ${hexOf(storm.sid)}`;
  const { iovaMin, iovaMax } = storm;
  const range =
    iovaMin === undefined || iovaMax === undefined
      ? ""
      : iovaMin === iovaMax
        ? ` at ${hexOf(iovaMin)}`
        : ` from ${hexOf(iovaMin)} to ${hexOf(iovaMax)}`;
  return (
    `${storm.count} × ` +
    `${storm.event}${where}${storm.direction ? ` (${storm.direction})` : ""}${range}`
  );
}
