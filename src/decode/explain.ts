// What a name or a number means: position, values, gates, who sets it, what belongs to it.
import { position } from "../spec/index.ts";
import { catalogue, type Topic } from "./catalogue.ts";
import { decodeCommand } from "./command.ts";
import type { HintId } from "./hint.ts";
import { HINT_TEXTS } from "./hint-texts.ts";
import { type FeatureName, featuresOf, type IdRegisters } from "./idr.ts";
import { CD_RULES } from "./legal-cd.ts";
import { STE_RULES } from "./legal-ste.ts";
import { nearestNames } from "./suggest.ts";

/** An explanation of one topic. */
export interface Explanation {
  readonly topic: Topic;
  /** "bits [93:92] of the STE (word 1, bits [29:28])"; "opcode 0x40"; "offset 0x20". */
  readonly where: string;
  /** Who writes it, and who reads it. */
  readonly setBy: string;
  readonly values: readonly {
    readonly value: number;
    readonly name: string;
    readonly meaning: string;
  }[];
  /** Rules that make an entry illegal and look at this field. */
  readonly rules: readonly string[];
  /** Causes that are known for this event. */
  readonly causes: readonly string[];
  /** What the given ID registers say about it. */
  readonly here: readonly string[];
  readonly related: readonly string[];
}

const hex = (n: number): string => `0x${n.toString(16)}`;

function whereOf({ kind, owner, number, field, layout }: Topic): string {
  if (kind === "field" && field !== undefined) {
    const word = Math.floor(field.lo / 64);
    const within =
      (layout?.bits ?? 64) > 64
        ? ` (word ${word}, bits ${position({ hi: field.hi % 64, lo: field.lo % 64 })})`
        : "";
    const times = field.count > 1 ? `, ${field.count} times, ${field.stride} bits apart` : "";
    return `${field.width === 1 ? "bit" : "bits"} ${position(field)} of ${owner}${within}${times}`;
  }
  if (number === undefined) return layout === undefined ? "" : `${layout.bits / 8} bytes`;
  if (kind === "encoding") return `value ${number} of ${owner}`;
  if (kind === "register") return `offset ${hex(number)}`;
  if (kind === "event") return `event number ${hex(number)}`;
  if (kind === "driver feature bit") return `bit ${number}`;
  return kind === "error code" ? `code ${hex(number)}` : `opcode ${hex(number)}`;
}

const ACCESS: Readonly<Record<string, string>> = {
  RO: "the SMMU sets it; software can only read it",
  RW: "software writes it",
  WO: "software writes it; it cannot be read",
};

function setByOf({ kind, name, owner, access, guard }: Topic): string {
  if (kind === "event" || owner === "EVENT" || name === "EVENT")
    return "the SMMU writes it into the event queue; software reads it";
  if (owner === "PRIQ" || name === "PRIQ")
    return "the SMMU writes it into the PRI queue; software reads it";
  if (kind === "command" || owner === "CMD" || name === "CMD")
    return "software writes it into the command queue; the SMMU reads it";
  if (kind === "ITS command" || owner === "ITS_CMD")
    return "software writes it into the ITS command queue";
  if (access !== undefined && access !== "" && access !== "mem") {
    const who = ACCESS[access] ?? `access ${access}`;
    return guard === undefined ? who : `${who}, while ${guard}`;
  }
  if (/^(?:STE|CD|L1STD|L1CD|VMS|S[12](?:TABLE|LEAF))\b/.test(owner ?? name))
    return (
      "software writes it in memory; the SMMU reads it and may cache it until it is " +
      "invalidated"
    );
  return "";
}

/** Causes worth telling for an event as such, without a record at hand. */
const EVENT_CAUSES: Readonly<Record<string, readonly HintId[]>> = {
  C_BAD_STREAMID: ["sid-unmapped", "sid-l1-empty"],
  F_STE_FETCH: ["fetch-abort"],
  C_BAD_STE: ["ste-invalid", "ste-config"],
  F_BAD_ATS_TREQ: ["ats-request"],
  F_STREAM_DISABLED: ["stream-disabled"],
  F_TRANSL_FORBIDDEN: ["ats-request"],
  C_BAD_SUBSTREAMID: ["substream-range"],
  F_CD_FETCH: ["fetch-abort"],
  C_BAD_CD: ["cd-invalid", "cd-passthrough"],
  F_WALK_EABT: ["walk-eabt"],
  F_TRANSLATION: ["msi-doorbell", "address-null", "address-released", "address-unmapped"],
  F_ADDR_SIZE: ["address-size"],
  F_ACCESS: ["access-flag"],
  F_PERMISSION: ["permission-write", "permission-read", "permission-exec"],
  F_TLB_CONFLICT: ["tlb-conflict"],
  F_CFG_CONFLICT: ["cfg-conflict"],
  F_VMS_FETCH: ["fetch-abort"],
};

function rulesOf({ kind, owner, short }: Topic): string[] {
  if (kind !== "field" || (owner !== "STE" && owner !== "CD")) return [];
  const rules = owner === "STE" ? STE_RULES : CD_RULES;
  const word = new RegExp(`\\b${short.replace(/[^\w]/g, "")}\\b`);
  return rules.filter((r) => word.test(r.text)).map((r) => `ILLEGAL: ${r.text} [${r.rule}]`);
}

const COMPARE: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  "=": (a, b) => a === b,
  "!=": (a, b) => a !== b,
  ">=": (a, b) => a >= b,
  ">": (a, b) => a > b,
};

/**
 * Is a simple gate ("S1P&S2P", "SSIDSIZE!=0", "IDR3.RIL") open? undefined when it is not that
 * simple.
 */
export function gateOpen(gate: string, idr: IdRegisters): boolean | undefined {
  const features = featuresOf(idr);
  const clause = gate.split(";")[0];
  let open: boolean | undefined = true;
  for (const part of clause.split(/&|,/)) {
    const m = /^\s*(?:(IDR[0135])\.)?([A-Z]\w+)\s*(?:(=|!=|>=|>)\s*(\d+))?\s*$/i.exec(part);
    if (m === null) return undefined;
    const value = lookUp(features, m[1], m[2]);
    if (value === undefined) return undefined;
    const compare = COMPARE[m[3] ?? "!="];
    open = open && compare(value, Number(m[4] ?? 0));
  }
  return open;
}

function lookUp(
  features: ReturnType<typeof featuresOf>,
  register: string | undefined,
  field: string,
): number | undefined {
  for (const name of register === undefined ? ["IDR0", "IDR1", "IDR3", "IDR5"] : [register])
    if (catalogue().some((t) => t.name === `${name}.${field}`))
      return features(`${name}.${field}` as FeatureName);
  return undefined;
}

function hereOf(topic: Topic, idr: IdRegisters | undefined): string[] {
  if (idr === undefined) return [];
  if (topic.kind === "command" && topic.number !== undefined) {
    const record = decodeCommand([BigInt(topic.number), 0n], { idr });
    const refused = record.hints.filter((h) => h.id === "cmd-illegal").map((h) => h.text);
    return refused.length > 0 ? refused : ["With these ID registers the SMMU takes this command."];
  }
  const open = topic.gate === undefined ? undefined : gateOpen(topic.gate, idr);
  if (open === undefined) return [];
  return [
    open
      ? "With these ID registers the field is in use."
      : `With these ID registers it is RES0: ${topic.gate}.`,
  ];
}

/** Names in a text that are topics themselves. */
function mentioned(text: string, names: ReadonlyMap<string, Topic>): string[] {
  return [...text.matchAll(/[A-Za-z][\w.]{1,40}/g)].flatMap((m) => {
    const word = m[0].replace(/\.$/, "");
    const found =
      names.get(word) ??
      names.get(`IDR0.${word}`) ??
      names.get(`IDR1.${word}`) ??
      names.get(`IDR3.${word}`) ??
      names.get(`IDR5.${word}`);
    return found === undefined ? [] : [found.name];
  });
}

const RELATED_MAX = 10;

function relatedOf(topic: Topic): string[] {
  const all = catalogue();
  const names = new Map(all.map((t) => [t.name, t]));
  const list = [
    ...(topic.owner === undefined ? [] : [topic.owner]),
    ...mentioned(`${topic.gate ?? ""} ${topic.meaning} ${topic.guard ?? ""}`, names),
    ...all.filter((t) => t.short === topic.short && t.kind === topic.kind).map((t) => t.name),
    ...(topic.layout?.fields ?? [])
      .filter(
        (f) =>
          topic.kind !== "field" && topic.kind !== "encoding" && /^(?:bits|address)$/.test(f.kind),
      )
      .map(
        (f) => `${topic.kind === "register" ? topic.name : (topic.owner ?? topic.name)}.${f.name}`,
      ),
  ];
  return [...new Set(list)].filter((n) => n !== topic.name && names.has(n)).slice(0, RELATED_MAX);
}

function explainTopic(topic: Topic, idr: IdRegisters | undefined): Explanation {
  const { field } = topic;
  const values =
    topic.kind === "encoding"
      ? []
      : Object.entries(field?.values ?? {}).map(([value, name]) => ({
          value: Number(value),
          name,
          meaning: field?.enumeration?.meanings[Number(value)] ?? "",
        }));
  const causes = topic.kind === "event" ? (EVENT_CAUSES[topic.name] ?? []) : [];
  return {
    topic,
    where: whereOf(topic),
    setBy: setByOf(topic),
    values,
    rules: rulesOf(topic),
    causes: causes.map((id) => HINT_TEXTS[id].text),
    here: hereOf(topic, idr),
    related: relatedOf(topic),
  };
}

const NUMBERED: ReadonlySet<Topic["kind"]> = new Set([
  "event",
  "command",
  "register",
  "error code",
  "ITS command",
]);

function byNumber(number: number): Topic[] {
  return catalogue().filter((t) => t.number === number && NUMBERED.has(t.kind));
}

/** Spellings of a name: Linux and QEMU prefixes away, letter case ignored. */
function spellings(name: string): string[] {
  const lower = name.toLowerCase();
  const bare = lower.replace(
    /^(?:smmu_(?:evt_|cmd_)?|arm_smmu_|strtab_ste_\d_|ctxdesc_cd_\d_|evtq_\d_|cmdq_)/,
    "",
  );
  return [lower, `cmd_${lower}`, bare, `cmd_${bare}`];
}

function byName(name: string): Topic[] {
  const wanted = spellings(name);
  const all = catalogue();
  for (const spelling of wanted) {
    const full = all.filter((t) => t.name.toLowerCase() === spelling);
    if (full.length > 0) return full;
  }
  for (const spelling of wanted) {
    const short = all.filter((t) => t.short.toLowerCase() === spelling);
    if (short.length > 0) return short;
  }
  return [];
}

/**
 * Explains a name ("STE.S1DSS", "S1DSS", "cmd_sync", "F_TRANSLATION") or a number (0x10: an event,
 * a
 * command and a register). Several answers when the name is several things; none when nobody knows
 * it.
 */
export function explain(query: string, idr?: IdRegisters): Explanation[] {
  const text = query.trim();
  const topics =
    /^0x[0-9a-f]{1,8}$/i.test(text) || /^\d{1,5}$/.test(text)
      ? byNumber(Number(text))
      : byName(text);
  return topics.map((t) => explainTopic(t, idr));
}

/** Names close to one that nobody knows. */
export function suggest(query: string): string[] {
  const names = catalogue().flatMap((t) => [t.name, t.short]);
  return nearestNames(query.trim(), names);
}
