// Queue and global errors that the driver prints: indexes, codes, what stopped (IHI0070 7).
import { CMDQ_CONS, GERROR } from "../spec/index.ts";
import { cerrorText } from "./command.ts";
import { fieldValues, hexOf, valueIn } from "./fields.ts";
import { hintOf } from "./hint.ts";
import type { NoteFinding } from "./text/notes.ts";
import type { Finding, PageRequest } from "./text/patterns.ts";
import { describeSmmuv2, isSmmuv2Write, type Smmuv2Finding } from "./text/smmuv2.ts";
import type {
  ErrorRecord,
  FieldValue,
  Hint,
  LogRecord,
  RecordBase,
  Smmuv2Record,
} from "./types.ts";

type Place = Pick<RecordBase, "line" | "device" | "time">;
type FindingOf<T extends Finding["type"]> = Extract<Finding, { type: T }>;

const named = (name: string, value: number, meaning: string): FieldValue => ({
  name,
  hi: 31,
  lo: 0,
  value: BigInt(value),
  meaning,
  kind: "field",
  from: "text",
});

/** Index and error code of a CMDQ_CONS value. */
function consOf(value: number): { index: number; error: number; fields: FieldValue[] } {
  const fields = fieldValues(CMDQ_CONS, [BigInt(value)]);
  return {
    index: Number(valueIn(fields, "RD") ?? 0n),
    error: Number(valueIn(fields, "ERR") ?? 0n),
    fields,
  };
}

function timeoutHints(finding: FindingOf<"sync-timeout">): Hint[] {
  const hints = [hintOf("sync-timeout")];
  if (finding.cons === undefined || finding.prod === undefined) return hints;
  const { index, error } = consOf(finding.cons);
  if (error !== 0) hints.push(...cerrorHints(error, index));
  else if (finding.cons === finding.prod) hints.push(hintOf("sync-consumed"));
  else if (finding.cons === 0) hints.push(hintOf("sync-never"));
  else {
    const distance = finding.prod - index;
    hints.push(
      hintOf("sync-waiting", {
        count: distance > 0 ? distance : "Some",
        index: hexOf(index),
      }),
    );
  }
  return hints;
}

/** A CMD_SYNC that did not complete in time. */
export function syncTimeoutRecord(finding: FindingOf<"sync-timeout">, place: Place): ErrorRecord {
  const { position, prod, cons } = finding;
  const parts = [
    position === undefined ? undefined : `waiting for index ${hexOf(position)}`,
    prod === undefined ? undefined : `CMDQ_PROD ${hexOf(prod)}`,
    cons === undefined ? undefined : `CMDQ_CONS ${hexOf(cons)}`,
  ].filter((p) => p !== undefined);
  const fields = [
    ...(position === undefined ? [] : [named("at", position, "where the CMD_SYNC stands")]),
    ...(prod === undefined ? [] : [named("CMDQ_PROD", prod, "next entry software writes")]),
    ...(cons === undefined ? [] : [named("CMDQ_CONS", cons, "next entry the SMMU reads")]),
  ];
  return {
    kind: "cmd-sync-timeout",
    ...place,
    text: ["CMD_SYNC timeout", ...parts].join(", "),
    fields,
    hints: timeoutHints(finding),
    notes: [],
    fault: true,
  };
}

function cerrorHints(error: number, index: number): Hint[] {
  const stopped = hintOf("cmdq-stopped", { index: hexOf(index) });
  if (error === 1) return [stopped, hintOf("cmdq-ill")];
  if (error === 2) return [stopped, hintOf("cmdq-abt")];
  return error === 3 ? [stopped, hintOf("cmdq-atc")] : [stopped];
}

/** "CMDQ error (cons 0x0100b1b7): Illegal command". */
export function cmdqErrorRecord(finding: FindingOf<"cmdq-error">, place: Place): ErrorRecord {
  const { index, error, fields } = consOf(finding.cons);
  const named = errorOfReason(finding.reason);
  const notes =
    named !== undefined && named !== error
      ? [`ERR holds ${error} (${cerrorText(error)}), the text says "${finding.reason}"`]
      : [];
  return {
    kind: "cmdq-error",
    ...place,
    text: `command queue error at index ${hexOf(index)}: ${cerrorText(error)}`,
    fields,
    hints: cerrorHints(named ?? error, index),
    notes,
    fault: true,
  };
}

/** The driver's words for the error codes. */
function errorOfReason(reason: string): number | undefined {
  if (/^no error/i.test(reason)) return 0;
  if (/^illegal/i.test(reason)) return 1;
  if (/^abort/i.test(reason)) return 2;
  return /^ATC/i.test(reason) ? 3 : undefined;
}

/** A trace line about a refused command. */
export function traceCommandError(command: string, error: number, line: number): ErrorRecord {
  return {
    kind: "cmdq-error",
    line,
    text: `command queue error on ${command}: ${cerrorText(error)}`,
    fields: [named("ERR", error, cerrorText(error))],
    hints: cerrorHints(error, 0).slice(1),
    notes: [],
    fault: true,
  };
}

/** Global errors that the driver or a trace shows. */
export function gerrorRecord(value: number, place: Place): ErrorRecord {
  const fields = fieldValues(GERROR, [BigInt(value)]);
  const bits = fields.filter((f) => f.value !== 0n).map((f) => f.name);
  return {
    kind: "gerror",
    ...place,
    text: `global errors ${hexOf(value)}: ${bits.join(", ") || "none"}`,
    fields: fields.filter((f) => f.value !== 0n),
    hints: [hintOf("gerror-active", { bits: bits.join(", ") || "none" })],
    notes: [],
    fault: value !== 0,
  };
}

/** Lost records. */
export function overflowRecord(queue: "EVTQ" | "PRIQ", place: Place): ErrorRecord {
  const name = queue === "EVTQ" ? "event queue" : "PRI queue";
  return {
    kind: "queue-overflow",
    ...place,
    text: `the ${name} overflowed`,
    fields: [],
    hints: [hintOf("queue-overflow", { queue: name }), hintOf("queue-overflow-next")],
    notes: [],
    fault: true,
  };
}

/** A page request that the driver did not expect. */
export function pageRequestRecord(request: PageRequest, place: Place): ErrorRecord {
  const { sid, ssid, group, last, privileged, access, iova } = request;
  const who = `stream ${hexOf(sid)}, PASID ${hexOf(ssid)}`;
  const what =
    `${privileged ? "privileged" : "unprivileged"} ${access || "no"} access at ` + `${hexOf(iova)}`;
  return {
    kind: "page-request",
    ...place,
    text: `page request of ${who}: ${what}, group ${group}${last ? ", last of the group" : ""}`,
    fields: [
      named("StreamID", sid, "requester"),
      named("SubstreamID", ssid, "PASID"),
      named("PRGIndex", group, "page request group"),
    ],
    hints: [hintOf("page-request")],
    notes: [],
    fault: true,
  };
}

/** Events that the kernel did not print. */
export function suppressedRecord(finding: FindingOf<"suppressed">, place: Place): LogRecord {
  return {
    kind: "suppressed",
    ...place,
    text: `${finding.count} events not printed (${finding.who})`,
    count: finding.count,
    fields: [],
    hints: [],
    notes: [],
    fault: false,
  };
}

/** A set-up line with a remark. */
export function noteRecord(finding: NoteFinding, place: Place): LogRecord {
  return {
    kind: "log",
    ...place,
    text: finding.text,
    fields: [],
    hints: [{ id: finding.id, part: "meaning", confidence: "certain", text: finding.meaning }],
    notes: [],
    fault: finding.fault,
  };
}

/** A fault of the other architecture, in one line. */
export function smmuv2Record(finding: Smmuv2Finding, place: Place): Smmuv2Record {
  const { iova } = finding;
  const doorbell = isSmmuv2Write(finding) && iova !== undefined && (iova & 0xfffn) === 0x40n;
  return {
    kind: "smmuv2",
    ...place,
    text: finding.text,
    ...(iova === undefined ? {} : { iova }),
    fields: [],
    hints: [
      hintOf("smmuv2", { what: describeSmmuv2(finding) }),
      ...(doorbell ? [hintOf("msi-doorbell")] : []),
    ],
    notes: [],
    fault: true,
  };
}
