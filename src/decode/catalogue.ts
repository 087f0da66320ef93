// Everything with a name in the layouts: structures, registers, fields, commands, events.
import {
  CD,
  CERROR,
  CMD,
  E_ITS,
  type Enumeration,
  EVENT,
  type Field,
  GITS_BASER,
  GITS_CBASER,
  GITS_CREADR,
  GITS_CTLR,
  GITS_CWRITER,
  GITS_IIDR,
  GITS_TRANSLATER,
  GITS_TYPER,
  ITS_CMD,
  L1CD,
  L1STD,
  PRIQ,
  type Register,
  S1LEAF,
  S1TABLE,
  S2LEAF,
  S2TABLE,
  STE,
  type Struct,
  type Union,
  VMS,
} from "../spec/index.ts";
import * as REGISTERS from "../spec/register.ts";
import { BOOT_BITS } from "./boot.ts";
import type { Drawable } from "./diagram.ts";

/** What kind of thing a name stands for. */
export type TopicKind =
  | "structure"
  | "register"
  | "command"
  | "event"
  | "field"
  | "encoding"
  | "error code"
  | "ITS command"
  | "driver feature bit";

/** One thing that can be explained. */
export interface Topic {
  readonly kind: TopicKind;
  /** Full name: "STE.Config", "CMD_SYNC", "CMDQ_CONS.ERR". */
  readonly name: string;
  /** Last part of the name: "Config". */
  readonly short: string;
  readonly owner?: string;
  /** Opcode, event number, register offset, encoding. */
  readonly number?: number;
  readonly meaning: string;
  readonly section?: string;
  readonly gate?: string;
  readonly since?: string;
  readonly access?: string;
  readonly reset?: string;
  readonly guard?: string;
  readonly field?: Field;
  readonly layout?: Drawable;
}

const STRUCTURES: readonly Struct[] = [L1STD, STE, L1CD, CD, VMS, PRIQ];
const DESCRIPTORS: readonly Union[] = [S1TABLE, S1LEAF, S2TABLE, S2LEAF];
const ITS_REGISTERS: readonly Register[] = [
  GITS_CTLR,
  GITS_IIDR,
  GITS_TYPER,
  GITS_CBASER,
  GITS_CWRITER,
  GITS_CREADR,
  GITS_BASER,
  GITS_TRANSLATER,
];

const isRegister = (v: unknown): v is Register =>
  typeof v === "object" && v !== null && "offset" in v && "fields" in v;

type About = Pick<Topic, "owner" | "access" | "layout">;

function encodingTopics(f: Field, name: string, layout: Drawable | undefined): Topic[] {
  return Object.entries(f.values ?? {}).map(([value, encoding]) => ({
    kind: "encoding",
    name: `${name}.${encoding}`,
    short: encoding,
    owner: name,
    number: Number(value),
    meaning: f.enumeration?.meanings[Number(value)] ?? f.meaning,
    section: f.section,
    field: f,
    ...(layout === undefined ? {} : { layout }),
  }));
}

function fieldTopics(owner: string, fields: readonly Field[], about: About): Topic[] {
  return fields
    .filter((f) => f.kind === "bits" || f.kind === "address")
    .flatMap((f) => {
      const name = `${owner}.${f.name}`;
      const topic: Topic = {
        kind: "field",
        name,
        short: f.name.slice(f.name.lastIndexOf(".") + 1),
        ...about,
        owner,
        meaning: f.meaning,
        section: f.section,
        ...(f.gate === undefined ? {} : { gate: f.gate }),
        ...(f.since === undefined ? {} : { since: f.since }),
        ...(f.access === undefined ? {} : { access: f.access }),
        ...(f.reset === undefined ? {} : { reset: f.reset }),
        field: f,
      };
      return [topic, ...encodingTopics(f, name, about.layout)];
    });
}

function structureTopics(s: Struct): Topic[] {
  return [
    {
      kind: "structure",
      name: s.name,
      short: s.name,
      meaning: s.meaning || `${s.bytes}-byte structure`,
      section: s.section,
      ...(s.gate === undefined ? {} : { gate: s.gate }),
      layout: s,
    },
    ...fieldTopics(s.name, s.fields, { layout: s }),
  ];
}

function registerTopics(r: Register): Topic[] {
  return [
    {
      kind: "register",
      name: r.name,
      short: r.name,
      number: r.offset,
      meaning: r.meaning,
      section: r.section,
      access: r.access,
      reset: r.reset,
      ...(r.guard === undefined ? {} : { guard: r.guard }),
      ...(r.gate === undefined ? {} : { gate: r.gate }),
      layout: r,
    },
    ...fieldTopics(r.name, Object.values(r.field), { access: r.access, layout: r }),
  ];
}

/** The encodings of a union as topics, and the union's fields once each. */
function unionTopics(u: Union, kind: TopicKind): Topic[] {
  const cases = Object.values(u.cases).map(
    (c): Topic => ({
      kind,
      name: kind === "structure" ? `${u.name} (${c.name})` : c.name,
      short: c.name,
      owner: u.name,
      ...(c.value === undefined ? {} : { number: c.value }),
      meaning: c.meaning || u.meaning,
      section: c.section,
      ...(c.gate === undefined ? {} : { gate: c.gate }),
      layout: c,
    }),
  );
  const home = (f: Field): Drawable | undefined =>
    Object.values(u.cases).find((c) => c.fields.some((x) => x.name === f.name));
  const own: Topic = {
    kind: "structure",
    name: u.name,
    short: u.name,
    meaning: u.meaning,
    section: u.section,
  };
  return [own, ...cases, ...u.fields.flatMap((f) => fieldTopics(u.name, [f], { layout: home(f) }))];
}

function codeTopics(e: Enumeration, prefix: string): Topic[] {
  return Object.entries(e.values).map(([value, name]) => ({
    kind: "error code",
    name: name.startsWith(prefix) ? name : `${prefix}_${name}`,
    short: name,
    number: Number(value),
    meaning: e.meanings[Number(value)] ?? "",
  }));
}

const bootTopics = (): Topic[] =>
  BOOT_BITS.map((b, bit) => ({
    kind: "driver feature bit",
    name: `ARM_SMMU_FEAT_${b.name}`,
    short: b.name,
    number: bit,
    meaning: `bit ${bit} of the Linux driver's feature mask: ${b.meaning}`,
    since: `Linux ${b.since}`,
  }));

let topics: readonly Topic[] | undefined;

/** All topics, built at first use. */
export function catalogue(): readonly Topic[] {
  topics ??= [
    ...STRUCTURES.flatMap(structureTopics),
    ...unionTopics(EVENT, "event"),
    ...unionTopics(CMD, "command"),
    ...Object.values(REGISTERS).filter(isRegister).flatMap(registerTopics),
    ...codeTopics(CERROR, "CERROR"),
    ...DESCRIPTORS.flatMap((u) => unionTopics(u, "structure")),
    ...ITS_REGISTERS.flatMap(registerTopics),
    ...unionTopics(ITS_CMD, "ITS command"),
    ...codeTopics(E_ITS, "E_ITS"),
    ...bootTopics(),
  ];
  return topics;
}
