// Walks through cleaned lines once and groups what belongs together: words, texts, traces.

import { EVENT } from "../spec/index.ts";
import { Assembler, type Collected } from "./text/assemble.ts";
import type { Line } from "./text/clean.ts";
import { groupOf, type NoteFinding, noteOf } from "./text/notes.ts";
import {
  type EventFlags,
  type EventNumbers,
  type Finding,
  findingOf,
  prefixOf,
} from "./text/patterns.ts";
import { type Smmuv2Finding, smmuv2Of } from "./text/smmuv2.ts";
import { type TraceFinding, traceOf } from "./text/trace.ts";
import { type WordLine, wordLine } from "./text/words.ts";
import type { WalkRead } from "./types.ts";

/** The kernel's own decoding of an event, from its one or two text lines. */
export interface EventText {
  readonly event: string;
  readonly client: string;
  readonly numbers: EventNumbers;
  flags?: EventFlags;
}

/** Where an item was found. */
interface Place {
  readonly line: number;
  readonly device?: string;
  readonly time?: number;
}

/** A fault of a QEMU trace. */
export interface TraceFault {
  readonly event: string | undefined;
  sid?: number;
  iova?: bigint;
  readonly walk: readonly WalkRead[];
}

/** One thing found in the text, not yet decoded. */
export type Item =
  | (Place & { readonly type: "event"; collected?: Collected; text?: EventText })
  | (Place & { readonly type: "command"; readonly collected: Collected })
  | (Place & { readonly type: "structure"; readonly collected: Collected })
  | (Place & { readonly type: "line"; finding: Finding | NoteFinding | Smmuv2Finding })
  | (Place & { readonly type: "trace-fault"; readonly fault: TraceFault })
  | (Place & { readonly type: "trace"; readonly finding: TraceFinding });

type EventItem = Extract<Item, { type: "event" }>;
type LineItem = Extract<Item, { type: "line" }>;

/** How many items back a text line may belong to; a stream holds that many back. */
const REACH = 8;
/** Reads of one translation that are kept. */
const WALK_READS_MAX = 16;

/** Cheap test before the patterns: does the line contain anything they look for? */
const INTERESTING = new RegExp(
  [
    /smmu|iommu|event|priv |fault|suppressed|strtab|retrying|\bsid 0x|translation failed/,
    /CMD_SYNC|CMDQ|EVTQ|PRIQ|STE|CD\b|FSR|GBPA|error state|features 0x|option mask/,
    /msi_domain|TT endianness|invalidation policy|Domain type|entries for|Service Failure/,
  ]
    .map((r) => r.source)
    .join("|"),
  "i",
);

/**
 * Finds records in a stream of lines. Feed it lines in order, take the items with `drain`, and call
 * `finish` at the end. Everything is linear in the number of lines.
 */
export class Scanner {
  readonly traceCounts: Record<string, number> = {};
  /** Devices and their IOMMU groups, from the boot log. */
  readonly groups = new Map<string, number>();
  #items: Item[] = [];
  #assembler = new Assembler();
  #walk: WalkRead[] = [];
  #failed: Extract<Item, { type: "trace-fault" }> | undefined;
  #previous = "";
  #wrapped: { raw: string; item: EventItem | LineItem } | undefined;

  /** Takes one cleaned line. */
  feed(line: Line): void {
    if (this.#continueText(line.text)) return;
    const text = this.#unwrap(line.text);
    const finding = INTERESTING.test(text) ? findingOf(text) : undefined;
    if (finding !== undefined) this.#finding(finding, line.number, text);
    else if (!this.#words(text, line.number)) this.#other(line.number, text);
    this.#previous = finding === undefined ? line.text : "";
  }

  /** Ends every record that is still being collected. */
  finish(): void {
    this.#assembler.end();
  }

  /** Items that are complete (all of them when `everything`), removed from the scanner. */
  drain(everything: boolean): Item[] {
    if (everything) {
      this.finish();
      return this.#items.splice(0);
    }
    const settled = Math.max(0, this.#items.length - REACH);
    const open = this.#items.findIndex(
      (item) =>
        "collected" in item &&
        item.collected !== undefined &&
        this.#assembler.isOpen(item.collected),
    );
    return this.#items.splice(0, open < 0 ? settled : Math.min(open, settled));
  }

  /** A message that mail wrapped: its head is the line before. */
  #unwrap(text: string): string {
    const head = this.#previous;
    if (head === "") return text;
    const start = text.trimStart();
    if (
      /^received\b|^\(?0x[0-9a-f]{1,4}\s+received\b/i.test(start) &&
      /\bevent(?:\s+0x[0-9a-f]{1,4})?$/i.test(head)
    )
      return `${head} ${start}`;
    if (/\b(?:un)?priv (?:inst|data) (?:read|write)\b/.test(head)) return `${head} ${start}`;
    if (/\b(?:oas|ias) \d+-bit,?$/.test(head) && /^(?:oas|\(features)/.test(start))
      return `${head} ${start}`;
    return text;
  }

  #place(line: number, text: string, at: number): Place {
    return { line, ...prefixOf(text, at) };
  }

  #finding(finding: Finding, line: number, text: string): void {
    const place = this.#place(line, text, finding.at);
    switch (finding.type) {
      case "event-header":
        this.#begin("event", place, finding.words, finding.id);
        return;
      case "command-header":
        this.#begin("command", place, finding.words);
        return;
      case "dump-header":
        this.#begin(finding.of, place, finding.words, undefined, finding);
        return;
      case "event-text":
        this.#text(finding, place, text);
        return;
      case "event-flags":
        this.#flags(finding.flags, place);
        return;
      default:
        this.#line({ type: "line", finding, ...place }, text);
    }
  }

  #line(item: LineItem, raw: string): void {
    this.#items.push(item);
    if (item.finding.type === "sync-timeout") this.#wrapped = { raw, item };
  }

  #begin(
    of: Collected["of"],
    place: Place,
    words: readonly bigint[],
    announced?: number,
    about?: { owner?: string; ssid?: number },
  ): void {
    const collected = this.#assembler.begin({
      of,
      announced,
      device: place.device,
      line: place.line,
      time: place.time,
      owner: about?.owner,
      ssid: about?.ssid,
    });
    const type = of === "event" ? "event" : of === "command" ? "command" : "structure";
    this.#items.push({ type, collected, ...place } as Item);
    if (words.length > 0)
      this.#assembler.take({
        words,
        index: undefined,
        key: place.device,
        half: undefined,
        full: true,
      });
  }

  #words(text: string, line: number): boolean {
    if (!/[0-9a-f]["'`,;)\]}\\\s]{0,8}$/i.test(text)) return false;
    const found = wordLine(text);
    if (found === undefined) return false;
    return this.#assembler.take(found) || this.#headless(found, text, line);
  }

  /** Words of an SMMU whose header line is lost: a record begins if the first one can be word 0. */
  #headless(found: WordLine, text: string, line: number): boolean {
    const first = found.words[0];
    if (first === undefined || found.key === undefined || !found.full) return false;
    if (!/smmu/i.test(text) || !isEventWord(first)) return false;
    this.#begin("event", { line, ...prefixOf(text, text.lastIndexOf(":") + 1) }, []);
    return this.#assembler.take(found);
  }

  #other(line: number, text: string): void {
    this.#assembler.pass();
    if (!INTERESTING.test(text)) return;
    const group = groupOf(text);
    if (group !== undefined) return void this.groups.set(group.device, group.group);
    const single = smmuv2Of(text) ?? noteOf(text);
    if (single !== undefined)
      return void this.#items.push({
        type: "line",
        finding: single,
        ...this.#place(line, text, single.at),
      });
    const trace = traceOf(text);
    if (trace !== undefined) this.#trace(trace, line);
  }

  /** The latest event of the same SMMU that `fits`. */
  #recentEvent(
    device: string | undefined,
    fits: (item: EventItem) => boolean,
  ): EventItem | undefined {
    for (let i = this.#items.length - 1; i >= Math.max(0, this.#items.length - REACH); i--) {
      const item = this.#items[i];
      if (item.type === "event" && item.device === device) return fits(item) ? item : undefined;
    }
    return undefined;
  }

  #text(finding: Extract<Finding, { type: "event-text" }>, place: Place, raw: string): void {
    this.#assembler.end(place.device);
    const { event, client, numbers } = finding;
    const text: EventText = { event, client, numbers };
    let item = this.#recentEvent(place.device, (e) => e.text === undefined && agrees(e, text));
    if (item === undefined) {
      item = { type: "event", ...place };
      this.#items.push(item);
    }
    item.text = text;
    this.#wrapped = { raw, item };
  }

  #flags(flags: EventFlags, place: Place): void {
    const item = this.#recentEvent(place.device, (e) => e.text !== undefined);
    if (item?.text !== undefined && item.text.flags === undefined) item.text.flags = flags;
  }

  /** A message that mail wrapped: numbers that follow on the next line. */
  #continueText(text: string): boolean {
    const wrapped = this.#wrapped;
    this.#wrapped = undefined;
    if (wrapped === undefined || /smmu|\](?!$)|\bevent\b/i.test(text)) return false;
    const raw = `${wrapped.raw} ${text.trim()}`;
    const again = findingOf(raw);
    if (again === undefined || !extend(wrapped.item, again)) return false;
    this.#wrapped = { raw, item: wrapped.item };
    return true;
  }

  #trace(finding: TraceFinding, line: number): void {
    switch (finding.type) {
      case "trace-begin":
        this.#walk = [];
        this.#count(finding.name);
        return;
      case "trace-other":
        this.#count(finding.name);
        return;
      case "trace-pte":
        this.#traceRead(finding);
        return;
      case "trace-failed":
        this.#traceFailed(finding, line);
        return;
      case "trace-event":
        this.#traceEvent(finding, line);
        return;
      case "trace-abort":
        this.#pushFault(line, {
          event: undefined,
          walk: [],
          sid: finding.sid,
          iova: finding.iova,
        });
        return;
      default:
        this.#items.push({ type: "trace", finding, line });
    }
  }

  #count(name: string): void {
    this.traceCounts[name] = (this.traceCounts[name] ?? 0) + 1;
  }

  #traceRead(read: Extract<TraceFinding, { type: "trace-pte" }>): void {
    const { stage, level, address, value } = read;
    const last = this.#walk[this.#walk.length - 1];
    if (last?.stage === stage && last.level === level && last.value === value) {
      if (address !== undefined)
        this.#walk[this.#walk.length - 1] = { stage, level, address, value };
    } else if (this.#walk.length < WALK_READS_MAX)
      this.#walk.push({ stage, level, value, ...(address === undefined ? {} : { address }) });
  }

  #pushFault(line: number, fault: TraceFault): Extract<Item, { type: "trace-fault" }> {
    const item = { type: "trace-fault" as const, fault, line };
    this.#items.push(item);
    return item;
  }

  #traceFailed(finding: Extract<TraceFinding, { type: "trace-failed" }>, line: number): void {
    this.#failed = this.#pushFault(line, {
      event: finding.event,
      iova: finding.iova,
      walk: this.#walk,
    });
    this.#walk = [];
  }

  #traceEvent(finding: Extract<TraceFinding, { type: "trace-event" }>, line: number): void {
    const failed = this.#failed;
    this.#failed = undefined;
    if (failed?.fault.event === finding.event && failed.fault.sid === undefined) {
      failed.fault.sid = finding.sid;
      return;
    }
    this.#pushFault(line, { event: finding.event, sid: finding.sid, walk: this.#walk });
  }
}

/** Can this be word 0 of an event record: a defined event number, reserved bits [10:8] clear? */
export const isEventWord = (word: bigint): boolean =>
  EVENT.caseOf(Number(word & 0xffn)) !== undefined && ((word >> 8n) & 7n) === 0n;

const known = (numbers: EventNumbers): number =>
  Object.values(numbers).filter((v) => v !== undefined).length;

/** Takes the finding of a line and its continuation into the item; false when it says no more. */
function extend(item: EventItem | LineItem, again: Finding): boolean {
  if (item.type === "line") {
    const { finding } = item;
    if (again.type !== "sync-timeout" || finding.type !== "sync-timeout") return false;
    if (again.prod === undefined || finding.prod !== undefined) return false;
    item.finding = again;
    return true;
  }
  const before = item.text;
  if (again.type !== "event-text" || before === undefined) return false;
  if (known(again.numbers) <= known(before.numbers)) return false;
  item.text = { ...before, client: again.client, numbers: again.numbers };
  return true;
}

/** May this text be the kernel's decoding of these words? */
function agrees(item: EventItem, text: EventText): boolean {
  const { collected } = item;
  if (collected?.announced === undefined && collected !== undefined && collected.words.length < 4)
    return false;
  const word = item.collected?.words[0];
  if (word === undefined || text.numbers.sid === undefined) return true;
  return Number(word >> 32n) === text.numbers.sid;
}
