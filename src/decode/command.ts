// Commands of the command queue: fields, what they ask for, and why one is illegal (IHI0070 4).
import { type Case, CERROR, CMD } from "../spec/index.ts";
import {
  fieldValues,
  foundWords,
  hexOf,
  isComplete,
  type Notes,
  valueIn,
  type Words,
} from "./fields.ts";
import { type Features, featuresOf } from "./idr.ts";
import type { CommandRecord, DecodeOptions, FieldValue, Hint } from "./types.ts";

const NOTES: Notes = {
  SSV: { 0: "no SubstreamID", 1: "the SubstreamID is given" },
  "TLBI.TG": { 0: "one address, no range, no level hint" },
  "TLBI.TTL": { 0: "the level is not known" },
  "SYNC.MSIAddress": { 0: "no MSI" },
};

/** "CMD_TLBI_NH_VA", or "RESERVED_0xff" for an opcode that the architecture does not define. */
export function commandNameOf(opcode: number): string {
  return CMD.caseOf(opcode)?.name ?? `RESERVED_${hexOf(opcode)}`;
}

/** What CMDQ_CONS.ERR says, in words. */
export function cerrorText(code: number): string {
  const name = CERROR.values[code];
  return name === undefined
    ? `error ${code} (reserved)`
    : `CERROR_${name}: ${CERROR.meanings[code]}`;
}

const GRANULE_SHIFT: Readonly<Record<number, number>> = { 1: 12, 2: 14, 3: 16 };

/** First address and length of a TLBI by address, in words. */
function rangeText(get: (name: string) => number, address: bigint): string {
  const shift = GRANULE_SHIFT[get("TLBI.TG")];
  if (shift === undefined) return `the page at ${hexOf(address)}`;
  const bytes = BigInt(get("TLBI.NUM") + 1) << BigInt(Math.min(get("TLBI.SCALE"), 39) + shift);
  return `${hexOf(address)} to ${hexOf(address + bytes - 1n)} (${hexOf(bytes)} bytes)`;
}

/** One sentence with the numbers of this command. */
function summaryOf(layout: Case, fields: readonly FieldValue[]): string {
  const get = (name: string): number => Number(valueIn(fields, name) ?? 0n);
  const parts = [layout.meaning];
  const address = valueIn(fields, "TLBI.Address");
  if (address !== undefined) parts.push(`Range: ${rangeText(get, address)}.`);
  if (layout.name === "CMD_CFGI_STE_RANGE") {
    const range = get("CFGI.Range");
    parts.push(range >= 31 ? "Range: every StreamID." : `Range: 2^${range + 1} StreamIDs.`);
  }
  if (layout.name === "CMD_ATC_INV")
    parts.push(
      get("ATC_INV.Size") >= 52 ? "Range: everything." : `Range: 2^${get("ATC_INV.Size")} pages.`,
    );
  return parts.join(" ");
}

type Condition = (get: (name: string) => number, f: Features) => boolean | undefined;

const off =
  (name: Parameters<Features>[0]): Condition =>
  (_, f) => {
    const value = f(name);
    return value === undefined ? undefined : value === 0;
  };

interface Illegal {
  readonly opcodes: (opcode: number) => boolean;
  readonly when: Condition;
  readonly text: string;
}

const within = (lo: number, hi: number) => (opcode: number) => opcode >= lo && opcode <= hi;
const oneOf =
  (...list: number[]) =>
  (opcode: number) =>
    list.includes(opcode);
const always: Condition = () => true;

/** Conditions for CERROR_ILL on the Non-secure command queue. */
const ILLEGAL: readonly Illegal[] = [
  { opcodes: (o) => CMD.caseOf(o) === undefined, when: always, text: "this opcode is not defined" },
  {
    opcodes: within(0x18, 0x1a),
    when: always,
    text: "EL3 commands are illegal on a Non-secure queue",
  },
  {
    opcodes: within(0x50, 0x60),
    when: always,
    text: "Secure commands are illegal on a Non-secure queue",
  },
  {
    opcodes: () => true,
    when: (get) => get("SSec") === 1,
    text: "SSec=1 is illegal on a Non-secure queue",
  },
  {
    opcodes: within(0x05, 0x06),
    when: off("IDR0.S1P"),
    text: "the SMMU has no stage 1 (IDR0.S1P=0)",
  },
  {
    opcodes: within(0x10, 0x13),
    when: off("IDR0.S1P"),
    text: "the SMMU has no stage 1 (IDR0.S1P=0)",
  },
  {
    opcodes: within(0x20, 0x23),
    when: off("IDR0.Hyp"),
    text: "the SMMU has no EL2 streams (IDR0.Hyp=0)",
  },
  {
    opcodes: within(0x28, 0x2a),
    when: off("IDR0.S2P"),
    text: "the SMMU has no stage 2 (IDR0.S2P=0)",
  },
  { opcodes: oneOf(0x40), when: off("IDR0.ATS"), text: "the SMMU has no ATS (IDR0.ATS=0)" },
  { opcodes: oneOf(0x41), when: off("IDR0.PRI"), text: "the SMMU has no PRI (IDR0.PRI=0)" },
  { opcodes: oneOf(0x41), when: (get) => get("PRI_RESP.Resp") === 3, text: "Resp=3 is reserved" },
  {
    opcodes: within(0x44, 0x45),
    when: (_, f) => {
      const model = f("IDR0.STALL_MODEL");
      return model === undefined ? undefined : model === 1;
    },
    text: "this SMMU cannot stall (IDR0.STALL_MODEL=1)",
  },
  { opcodes: oneOf(0x46), when: (get) => get("SYNC.CS") === 3, text: "CS=3 is reserved" },
  { opcodes: oneOf(0x07), when: off("IDR3.MPAM"), text: "the SMMU has no MPAM (IDR3.MPAM=0)" },
  {
    opcodes: within(0x70, 0x73),
    when: off("IDR3.DPT"),
    text: "the SMMU has no DPT (IDR3.DPT=0)",
  },
];

const ADDRESS_TLBI = oneOf(0x12, 0x13, 0x22, 0x23, 0x2a);

/** TG without a range: CERROR_ILL where range invalidation is implemented. */
function emptyRange(opcode: number, get: (name: string) => number, f: Features): boolean {
  if (!ADDRESS_TLBI(opcode) || f("IDR3.RIL") === 0 || get("TLBI.TG") === 0) return false;
  return get("TLBI.NUM") === 0 && get("TLBI.SCALE") === 0 && get("TLBI.TTL") === 0;
}

function illegalHints(opcode: number, fields: readonly FieldValue[], f: Features): Hint[] {
  const get = (name: string): number => Number(valueIn(fields, name) ?? 0n);
  const texts = ILLEGAL.filter((rule) => rule.opcodes(opcode) && rule.when(get, f) === true).map(
    (rule) => rule.text,
  );
  if (valueIn(fields, "TLBI.TG") !== undefined && emptyRange(opcode, get, f))
    texts.push("TG is set, but NUM, SCALE and TTL are all 0");
  return texts.map((text) => ({
    id: "cmd-illegal",
    part: "meaning",
    confidence: "certain",
    text: `The SMMU refuses this command with CERROR_ILL: ${text}.`,
  }));
}

/** Decodes one command. A missing second word leaves its fields out. */
export function decodeCommand(words: Words, options: DecodeOptions = {}): CommandRecord {
  const first = words[0];
  const opcode = first === undefined ? -1 : Number(first & 0xffn);
  const layout = opcode < 0 ? undefined : CMD.caseOf(opcode);
  const known = layout ?? { fields: [CMD.field.Opcode] };
  const fields = (opcode < 0 ? [] : fieldValues(known, words.slice(0, 2), NOTES)).map((f) =>
    f.name === "Opcode"
      ? { ...f, encoding: commandNameOf(opcode), meaning: layout?.meaning ?? "not defined" }
      : f,
  );
  const hints = opcode < 0 ? [] : illegalHints(opcode, fields, featuresOf(options.idr));
  const summary: Hint[] =
    layout === undefined
      ? []
      : [
          {
            id: "cmd-meaning",
            part: "meaning",
            confidence: "certain",
            text: summaryOf(layout, fields),
          },
        ];
  return {
    kind: "command",
    command: opcode < 0 ? "UNKNOWN" : commandNameOf(opcode),
    opcode,
    words: foundWords(words, 2),
    complete: isComplete(words, 2),
    fields,
    hints: [...summary, ...hints],
    notes: isComplete(words, 2) ? [] : ["the second word is missing; fields in it are not shown"],
    fault: hints.length > 0,
  };
}
