// The single lines that the Linux driver, Xen and QEMU print about an SMMU, as typed findings.
import { keyOf, leadingWords } from "./words.ts";

/**
 * What one line says. `at` is where in the line the message begins: before it stands the log
 * prefix.
 */
export type Finding =
  | { type: "event-header"; at: number; id: number; words: readonly bigint[] }
  | { type: "event-text"; at: number; event: string; client: string; numbers: EventNumbers }
  | { type: "event-flags"; at: number; flags: EventFlags }
  | { type: "sync-timeout"; at: number; position?: number; prod?: number; cons?: number }
  | { type: "cmdq-error"; at: number; cons: number; reason: string }
  | { type: "command-header"; at: number; words: readonly bigint[] }
  | { type: "gerror"; at: number; value: number }
  | { type: "overflow"; at: number; queue: "EVTQ" | "PRIQ" }
  | { type: "suppressed"; at: number; who: string; count: number }
  | { type: "boot"; at: number; ias?: number; oas: number; mask: number }
  | { type: "page-request"; at: number; request: PageRequest }
  | {
      type: "dump-header";
      at: number;
      of: "STE" | "CD";
      owner?: string;
      ssid?: number;
      words: readonly bigint[];
    };

/** Numbers of the kernel's own decoding of an event. */
export interface EventNumbers {
  readonly sid?: number;
  readonly ssid?: number;
  readonly iova?: bigint;
  readonly ipa?: bigint;
  readonly fetchAddr?: bigint;
}

/** Words of the kernel's second line about an event. */
export interface EventFlags {
  readonly privileged: boolean;
  readonly instruction: boolean;
  readonly read: boolean;
  readonly stage: 1 | 2;
  /** Absent when the text has another wording than the driver's. */
  readonly class?: "CD" | "TT" | "IN" | "RESERVED";
  readonly ttRead?: boolean;
  readonly stall: boolean;
  readonly stag: number;
}

/** A page request message that nobody expected. */
export interface PageRequest {
  readonly sid: number;
  readonly ssid: number;
  readonly group: number;
  readonly last: boolean;
  readonly privileged: boolean;
  readonly access: string;
  readonly iova: bigint;
}

const HEX = "(?:0x)?([0-9a-f]{1,16})";
const hex = (digits: string): number => Number.parseInt(digits, 16);
const big = (digits: string): bigint => BigInt(`0x${digits}`);

/** Names that the driver, its devices and Xen print before a message. */
const NAMED = /smmu|iommu/i;

/** Nothing but a log prefix: then the message may still be ours, with its device name cut off. */
function isLogPrefix(prefix: string): boolean {
  const text = prefix.trimEnd();
  return text === "" || /[\])>;"'`]$/.test(text) || /(?:^|\s)kernel:$/.test(text);
}

const EVENT_HEADER = /\bevent:?\s{1,8}(0x[0-9a-f]{1,4})\s{1,8}received\b\s{0,8}:?/i;

function eventHeader(line: string): Finding | undefined {
  const m = EVENT_HEADER.exec(line);
  if (m === null) return undefined;
  const prefix = line.slice(0, m.index);
  const rest = line.slice(m.index + m[0].length);
  const { words } = leadingWords(rest);
  const bare = !NAMED.test(prefix);
  if (bare && (!isLogPrefix(prefix) || (words.length === 0 && /\w/.test(rest)))) return undefined;
  return { type: "event-header", at: m.index, id: hex(m[1].slice(2)) & 0xff, words };
}

const EVENT_TEXT = /\bevent:\s{0,4}([CFE]_[A-Z_]{2,24}|UNKNOWN)\s{1,4}client:\s{0,4}/i;

function after(text: string, label: string): string | undefined {
  return new RegExp(`\\b${label}:\\s{0,4}${HEX}\\b`, "i").exec(text)?.[1];
}

function eventText(line: string): Finding | undefined {
  const m = EVENT_TEXT.exec(line);
  if (m === null) return undefined;
  const rest = line.slice(m.index + m[0].length);
  const end = rest.search(/\bsid:/i);
  const tail = end < 0 ? "" : rest.slice(end);
  const number = (label: string): number | undefined => {
    const digits = after(tail, label);
    return digits === undefined ? undefined : hex(digits);
  };
  const address = (label: string): bigint | undefined => {
    const digits = after(tail, label);
    return digits === undefined ? undefined : big(digits);
  };
  return {
    type: "event-text",
    at: m.index,
    event: m[1].toUpperCase(),
    client: (end < 0 ? rest : rest.slice(0, end)).trim(),
    numbers: {
      sid: number("sid"),
      ssid: number("ssid"),
      iova: address("iova"),
      ipa: address("ipa"),
      fetchAddr: address("fetch_addr"),
    },
  };
}

const EVENT_FLAGS = new RegExp(
  String.raw`\b(un)?priv (inst|data) (read|write) s([12]) ["“”]?([^"“”]{2,40})["“”]?` +
    String.raw`( ttd_(?:read|write))?( stall)? stag: ${HEX}\b`,
  "i",
);

function classOf(text: string): EventFlags["class"] {
  if (/^CD/i.test(text)) return "CD";
  if (/^Stage 1|^TT/i.test(text)) return "TT";
  if (/^Input|^IN/i.test(text)) return "IN";
  return /^Reserved/i.test(text) ? "RESERVED" : undefined;
}

function eventFlags(line: string): Finding | undefined {
  const m = EVENT_FLAGS.exec(line);
  if (m === null) return undefined;
  const ttd = m[6]?.trim().toLowerCase();
  const cls = classOf(m[5]);
  return {
    type: "event-flags",
    at: m.index,
    flags: {
      privileged: m[1] === undefined,
      instruction: m[2].toLowerCase() === "inst",
      read: m[3].toLowerCase() === "read",
      stage: m[4] === "1" ? 1 : 2,
      ...(cls === undefined ? {} : { class: cls }),
      ...(ttd === undefined ? {} : { ttRead: ttd === "ttd_read" }),
      stall: m[7] !== undefined,
      stag: hex(m[8]),
    },
  };
}

const SYNC_TIMEOUT = /\b(?:CMD_SYNC|CMDQ) timeout(?:\s{1,4}at\s{1,4}(0x[0-9a-f]{1,8}))?/i;

function syncTimeout(line: string): Finding | undefined {
  const m = SYNC_TIMEOUT.exec(line);
  if (m === null) return undefined;
  const prod = /\bhwprod\s{1,4}0x([0-9a-f]{1,8})/i.exec(line)?.[1];
  const cons = /\bhwcons\s{1,4}0x([0-9a-f]{1,8})/i.exec(line)?.[1];
  return {
    type: "sync-timeout",
    at: m.index,
    ...(m[1] === undefined ? {} : { position: hex(m[1].slice(2)) }),
    ...(prod === undefined ? {} : { prod: hex(prod) }),
    ...(cons === undefined ? {} : { cons: hex(cons) }),
  };
}

const CMDQ_ERROR =
  /\b[VE]?CMDQ(?:\d{1,4})? error\s{1,4}\(cons\s{1,4}0x([0-9a-f]{1,8})\)\s{0,2}:?\s{0,4}(.{0,80})/i;
const COMMAND_HEADER = /\bskipping command in error state\s{0,2}:?/i;
const GERROR = /\bunexpected global error reported\s{1,4}\(0x([0-9a-f]{1,8})\)/i;
const OVERFLOW = /\b(EVTQ|PRIQ) overflow detected/i;
const SUPPRESSED =
  /\b([a-z0-9_]{0,48}smmu[a-z0-9_]{0,48}):\s{1,4}(\d{1,12}) (?:\w{1,20} )?callbacks suppressed/i;
const BOOT =
  /\b(?:ias (\d{1,3})-bit,\s{1,4})?oas (\d{1,3})-bit\s{1,4}\(features 0x([0-9a-f]{1,8})\)/i;

function queueLine(line: string): Finding | undefined {
  let m = CMDQ_ERROR.exec(line);
  if (m !== null)
    return {
      type: "cmdq-error",
      at: m.index,
      cons: hex(m[1]),
      reason: m[2].replace(/["',;\s]+$/, ""),
    };
  m = COMMAND_HEADER.exec(line);
  if (m !== null) {
    const { words } = leadingWords(line.slice(m.index + m[0].length));
    return { type: "command-header", at: m.index, words };
  }
  m = GERROR.exec(line);
  if (m !== null) return { type: "gerror", at: m.index, value: hex(m[1]) };
  m = OVERFLOW.exec(line);
  if (m !== null)
    return { type: "overflow", at: m.index, queue: m[1].toUpperCase() as "EVTQ" | "PRIQ" };
  return undefined;
}

function miscellaneous(line: string): Finding | undefined {
  let m = SUPPRESSED.exec(line);
  if (m !== null) return { type: "suppressed", at: m.index, who: m[1], count: Number(m[2]) };
  m = BOOT.exec(line);
  if (m === null) return undefined;
  const ias = m[1] === undefined ? {} : { ias: Number(m[1]) };
  return { type: "boot", at: m.index, ...ias, oas: Number(m[2]), mask: hex(m[3]) };
}

const PAGE_REQUEST = new RegExp(
  String.raw`\bsid ${HEX}\.${HEX}: \[(\d{1,4})(L?)\] (un)?privileged (\S{0,4}) ?access ` +
    String.raw`at iova ${HEX}\b`,
  "i",
);

function pageRequest(line: string): Finding | undefined {
  const m = PAGE_REQUEST.exec(line);
  if (m === null) return undefined;
  return {
    type: "page-request",
    at: m.index,
    request: {
      sid: hex(m[1]),
      ssid: hex(m[2]),
      group: Number(m[3]),
      last: m[4] !== "",
      privileged: m[5] === undefined,
      access: m[6],
      iova: big(m[7]),
    },
  };
}

const DUMP = /\b(STE|CD)\b(?: values| dump| words| entry| contents| data|:|\s{0,4}$)/;
const OWNER = /\bdevice:?\s{1,4}([^\s,:][^\s,]{0,60}?)[,:]?(?=\s|$)/;

function dumpHeader(line: string): Finding | undefined {
  const m = DUMP.exec(line);
  if (m === null || /smmuv3_[a-z]/.test(line)) return undefined;
  const owner = OWNER.exec(line)?.[1];
  const ssid = /\bssid:?\s{0,4}(?:0x)?([0-9a-f]{1,5})\b/i.exec(line)?.[1];
  const { words } = leadingWords(line.slice(m.index + m[0].length));
  return {
    type: "dump-header",
    at: m.index,
    of: m[1] as "STE" | "CD",
    ...(owner === undefined ? {} : { owner }),
    ...(ssid === undefined ? {} : { ssid: hex(ssid) }),
    words,
  };
}

/** The finding of a line, or undefined for a line that says nothing of this. */
export function findingOf(line: string): Finding | undefined {
  return (
    eventHeader(line) ??
    eventText(line) ??
    eventFlags(line) ??
    syncTimeout(line) ??
    queueLine(line) ??
    miscellaneous(line) ??
    pageRequest(line) ??
    dumpHeader(line)
  );
}

/** Device and time stamp that the log prefix of a message gives. */
export function prefixOf(line: string, at: number): { device?: string; time?: number } {
  const prefix = line.slice(0, at);
  const device = keyOf(prefix);
  const stamp = /(?:^|[[\s])(\d{1,10}\.\d{1,9})\]/.exec(prefix)?.[1];
  const kmsg = /^\s{0,4}\d{1,4},\d{1,20},(\d{1,18}),/.exec(prefix)?.[1];
  const time =
    stamp !== undefined ? Number(stamp) : kmsg !== undefined ? Number(kmsg) / 1e6 : undefined;
  return { ...(device === undefined ? {} : { device }), ...(time === undefined ? {} : { time }) };
}
