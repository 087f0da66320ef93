// From text to records: cleans, scans, decodes, explains. No Wasm, no Node, no lasting state.
import { STRTAB_BASE_CFG } from "../spec/index.ts";
import { decodeBoot } from "./boot.ts";
import { decodeCommand } from "./command.ts";
import {
  cmdqErrorRecord,
  gerrorRecord,
  noteRecord,
  overflowRecord,
  pageRequestRecord,
  smmuv2Record,
  suppressedRecord,
  syncTimeoutRecord,
  traceCommandError,
} from "./errors.ts";
import { eventOfItem, eventOfTrace } from "./event.ts";
import { eventHints, inOrder, log2sizeOf, type Surrounding } from "./hints-event.ts";
import { decodeRegister, featureTable, idRegistersOf } from "./registers.ts";
import { type Item, Scanner } from "./scan.ts";
import { stormsOf } from "./storms.ts";
import { decodeStructure } from "./structure.ts";
import { cleanLine, cleanText, type Line } from "./text/clean.ts";
import type { TraceFinding } from "./text/trace.ts";
import type {
  DecodedRecord,
  DecodeOptions,
  DecodeResult,
  EventRecord,
  RecordBase,
  RegisterRecord,
  StructureRecord,
} from "./types.ts";

type Place = Pick<RecordBase, "line" | "device" | "time">;

const placeOf = (item: Item): Place => ({
  line: item.line,
  ...(item.device === undefined ? {} : { device: item.device }),
  ...(item.time === undefined ? {} : { time: item.time }),
});

type LineFinding = Extract<Item, { type: "line" }>["finding"];

function lineRecord(finding: LineFinding, place: Place): DecodedRecord | undefined {
  switch (finding.type) {
    case "sync-timeout":
      return syncTimeoutRecord(finding, place);
    case "cmdq-error":
      return cmdqErrorRecord(finding, place);
    case "gerror":
      return gerrorRecord(finding.value, place);
    case "overflow":
      return overflowRecord(finding.queue, place);
    case "suppressed":
      return suppressedRecord(finding, place);
    case "page-request":
      return pageRequestRecord(finding.request, place);
    case "boot":
      return { ...decodeBoot(finding), ...place };
    case "note":
      return noteRecord(finding, place);
    case "smmuv2":
      return smmuv2Record(finding, place);
    default:
      return undefined;
  }
}

function traceRecord(
  finding: TraceFinding,
  line: number,
  options: DecodeOptions,
): DecodedRecord | undefined {
  switch (finding.type) {
    case "trace-mmio":
      return {
        ...decodeRegister(finding.offset, finding.value, finding.write ? "write" : "read"),
        line,
      };
    case "trace-cmd-error":
      return traceCommandError(finding.command, finding.error, line);
    case "trace-gerror":
      return gerrorRecord(finding.value, { line });
    case "trace-vste":
      return {
        ...decodeStructure("STE", finding.words, {
          owner: `vSID 0x${finding.sid.toString(16)}`,
          options,
        }),
        line,
      };
    default:
      return undefined;
  }
}

/** A fault that the trace shows and that recorded no event. */
function silentRecord(
  fault: Extract<Item, { type: "trace-fault" }>["fault"],
  line: number,
): DecodedRecord {
  const where = fault.iova === undefined ? "" : ` at 0x${fault.iova.toString(16)}`;
  const who = fault.sid === undefined ? "" : ` of stream 0x${fault.sid.toString(16)}`;
  return {
    kind: "log",
    line,
    text: `a transaction${who}${where} was aborted without an event`,
    fields: [],
    hints: [
      {
        id: "silent-abort",
        part: "meaning",
        confidence: "certain",
        text: "Nothing is recorded when STE.Config or GBPA aborts, or when CD.R (STE.S2R) is 0.",
      },
    ],
    notes: [],
    fault: true,
  };
}

function structureRecord(
  item: Extract<Item, { type: "structure" }>,
  options: DecodeOptions,
): DecodedRecord | undefined {
  const { collected } = item;
  if (collected.words.every((w) => w === undefined)) return undefined;
  const { owner, ssid } = collected;
  return {
    ...decodeStructure(collected.of as "STE" | "CD", collected.words, {
      ...(owner === undefined ? {} : { owner }),
      ...(ssid === undefined ? {} : { ssid }),
      options,
    }),
    ...placeOf(item),
  };
}

/** The record of one item, without hints that need the whole input. */
function recordOf(item: Item, options: DecodeOptions): DecodedRecord | undefined {
  switch (item.type) {
    case "event": {
      const words = item.collected?.words.filter((w) => w !== undefined).length ?? 4;
      const headless = item.collected !== undefined && item.collected.announced === undefined;
      const nameless = item.device === undefined && item.text === undefined;
      if (words < (headless ? 4 : nameless ? 1 : 0)) return undefined;
      return { ...eventOfItem(item), ...placeOf(item) };
    }
    case "command":
      return { ...decodeCommand(item.collected.words, options), ...placeOf(item), fault: true };
    case "structure":
      return structureRecord(item, options);
    case "line":
      return lineRecord(item.finding, placeOf(item));
    case "trace-fault": {
      const event = eventOfTrace(item.fault);
      return event === undefined
        ? silentRecord(item.fault, item.line)
        : { ...event, line: item.line };
    }
    default:
      return traceRecord(item.finding, item.line, options);
  }
}

/** What the records say about the system, for the hints of the events among them. */
function surroundingOf(
  records: readonly DecodedRecord[],
  options: DecodeOptions,
  groups: ReadonlyMap<string, number>,
): Surrounding {
  const clients = new Map<number, string>();
  let log2size: number | undefined;
  for (const r of records) {
    if (r.kind === "event" && r.sid !== undefined && r.client !== undefined)
      clients.set(r.sid, r.client);
    if (r.kind === "register" && r.register === "STRTAB_BASE_CFG")
      log2size = log2sizeOf(STRTAB_BASE_CFG, r.value);
  }
  const structures = records.filter((r): r is StructureRecord => r.kind === "structure");
  return { options, structures, clients, groups, ...(log2size === undefined ? {} : { log2size }) };
}

const withHints = (r: EventRecord, around: Surrounding): EventRecord => ({
  ...r,
  hints: eventHints(r, around),
});

/** Adds the hints that need to know the other records. */
export function explainRecords(
  records: readonly DecodedRecord[],
  options: DecodeOptions,
  groups: ReadonlyMap<string, number> = new Map(),
): DecodedRecord[] {
  const around = surroundingOf(records, options, groups);
  return records.map((r) =>
    r.kind === "event" ? withHints(r, around) : { ...r, hints: inOrder(r.hints) },
  );
}

/** ID registers that the trace read, unless the caller gave some. */
function optionsWithTrace(items: readonly Item[], options: DecodeOptions): DecodeOptions {
  if (options.idr !== undefined) return options;
  const reads = items.flatMap((item) =>
    item.type === "trace" && item.finding.type === "trace-mmio" && !item.finding.write
      ? [decodeRegister(item.finding.offset, item.finding.value, "read")]
      : [],
  );
  const idr = idRegistersOf(reads);
  return Object.keys(idr).length === 0 ? options : { ...options, idr };
}

/** Puts records into a result: storms, counts, and whether anything was found. */
export function resultOf(
  records: readonly DecodedRecord[],
  trace: Readonly<Record<string, number>> = {},
): DecodeResult {
  const suppressed = records.reduce(
    (sum, r) => sum + (r.kind === "suppressed" ? (r.count ?? 0) : 0),
    0,
  );
  return {
    records,
    storms: stormsOf(records),
    suppressed,
    trace,
    understood: records.length > 0 || Object.keys(trace).length > 0,
    faults: records.filter((r) => r.fault).length,
  };
}

/**
 * Finds and decodes every record in a text: kernel and Xen logs in any state of quoting, debugfs
 * dumps, QEMU traces, boot lines. `understood` is false when there is nothing of that kind.
 */
export function decodeLog(text: string, options: DecodeOptions = {}): DecodeResult {
  const scanner = new Scanner();
  for (const line of cleanText(text)) scanner.feed(line);
  const items = scanner.drain(true);
  const known = optionsWithTrace(items, options);
  const records = items.flatMap((item) => recordOf(item, known) ?? []);
  const registers = records.filter((r): r is RegisterRecord => r.kind === "register");
  const table = featureTable(idRegistersOf(registers));
  const all = table === undefined ? records : [...records, table];
  return resultOf(explainRecords(all, known, scanner.groups), scanner.traceCounts);
}

/** Decodes a stream line by line, as it arrives. */
export class LogDecoder {
  readonly #scanner = new Scanner();
  readonly #options: DecodeOptions;
  #line = 0;

  constructor(options: DecodeOptions = {}) {
    this.#options = options;
  }

  /** Takes one line and returns the records that are complete now. */
  push(text: string): DecodedRecord[] {
    const line: Line = { number: ++this.#line, text: text.slice(0, 4096) };
    this.#scanner.feed(cleanLine(line));
    return this.#records(false);
  }

  /** Returns what is still open: call it when the stream pauses or ends. */
  flush(): DecodedRecord[] {
    return this.#records(true);
  }

  #records(everything: boolean): DecodedRecord[] {
    const records = this.#scanner
      .drain(everything)
      .flatMap((item) => recordOf(item, this.#options) ?? []);
    return explainRecords(records, this.#options);
  }
}
