// The operations of a replay list, checked: one JSON object a line, in the order of the run.

import { InputError } from "./errors.ts";
import type { Int, Json } from "./json.ts";
import { type JsonObject, parseLine } from "./lists.ts";

/** What became of a recorded translation. */
export type Outcome = "ok" | "bypass" | "abort" | "event" | "silent";

/** An `x` line: one translation with everything that it looked up, read and inserted. */
export interface TranslationOp {
  op: "x";
  sid: number;
  /** Absent when the request failed before its address mattered. */
  iova?: Int;
  pa?: Int;
  perm?: number;
  /** 1, 2, or 3 for nested. */
  stage?: number;
  res: Outcome;
  /** 1: the configuration cache had the stream. */
  cfg: number;
  ste?: Int;
  /** An IPA when nested. */
  cd?: Int;
  /** Effective output size of stage 1 in bits. */
  oas?: number;
  /** [half, TxSZ, table address, log2 granule, HAD] of each enabled half. */
  tt?: [number, number, Int, number, number][];
  /** [ASID, VMID, address, hit] of each IOTLB lookup. */
  lk?: [number, number, Int, number][];
  /** [address, value] of each descriptor read. */
  pte?: [Int, Int][];
  /** [ASID, VMID, address, tg, level] of each IOTLB insert. */
  ins?: [number, number, Int, number, number][];
  ev?: string;
  /** The event record, 32 bytes in hexadecimal. */
  evr?: string;
  /** SMMU index, when the list says it. */
  m?: number;
}

/** A `w` line: a register write, logged after its effects. */
export interface WriteOp {
  op: "w";
  a: number;
  v: Int;
  s: number;
  m?: number;
}

/** A `cmd` line: a command that the SMMU consumed. */
export interface CommandOp {
  op: "cmd";
  i: number;
  name: string;
  raw: string;
  /** [VMID, ASID, address, TG, pages, TTL, leaf, stage] of each piece of a range. */
  ri?: [number, number, Int, number, Int, number, number, number][];
  m?: number;
}

/** An `its` line: a command that the ITS consumed. */
export interface ItsOp {
  op: "its";
  i: number;
  c: number;
  raw: string;
}

/** An `msi` line: a write to GITS_TRANSLATER. */
export interface MsiOp {
  op: "msi";
  dev: number;
  data: number;
  off: number;
  ev_: number;
  lpi: number;
  icid: number;
  v: number;
  rd: number;
}

/** A `cmderr` line: the error of the command before it. */
export interface CommandErrorOp {
  op: "cmderr";
  name: string;
  err: number;
  m?: number;
}

/** `pg ms mw mq pgx`: the guest's stores, in an ordered capture. */
export interface StoreOp {
  op: "pg" | "ms" | "mw" | "mq" | "pgx";
  a: Int;
  v?: string;
  k?: number;
}

/** One operation that the replay acts on. */
export type ReplayOp =
  | TranslationOp
  | WriteOp
  | CommandOp
  | CommandErrorOp
  | ItsOp
  | MsiOp
  | StoreOp;

/** A number that lost bits does not pass: such a line must be parsed exactly. */
const isInt = (v: Json | undefined): v is Int =>
  typeof v === "number" ? Number.isSafeInteger(v) : typeof v === "bigint";
const isAddress = (v: Json | undefined): boolean => isInt(v) && v >= 0;
const isNumber = (v: Json | undefined): boolean => typeof v === "number" && Number.isSafeInteger(v);
const isIndex = (v: Json | undefined): boolean => isNumber(v) && (v as number) >= 0;
const isHex = (digits: number) => (v: Json | undefined) =>
  typeof v === "string" && v.length === digits && /^[0-9a-f]*$/i.test(v);
const isText = (v: Json | undefined): boolean => typeof v === "string";
const isHexWord = (v: Json | undefined): boolean =>
  typeof v === "string" && /^0x[0-9a-f]{1,16}$/i.test(v);

/** An array of rows of at least `length` integers. */
const isRows = (length: number) => (v: Json | undefined) => {
  if (!Array.isArray(v)) return false;
  for (const row of v) {
    if (!Array.isArray(row) || row.length < length) return false;
    for (const cell of row) if (!isInt(cell)) return false;
  }
  return true;
};

type Test = (v: Json | undefined) => boolean;
type Shape = { must: [string, Test][]; may: [string, Test][] };

const INDEX: [string, Test][] = [["m", isIndex]];
const SHAPES = new Map<string, Shape>(
  Object.entries({
    x: {
      must: [
        ["sid", isIndex],
        ["cfg", isNumber],
        ["res", isText],
      ],
      may: [
        ["iova", isAddress],
        ["pa", isAddress],
        ["perm", isNumber],
        ["stage", isNumber],
        ["ste", isAddress],
        ["cd", isAddress],
        ["oas", isNumber],
        ["tt", isRows(5)],
        ["lk", isRows(4)],
        ["pte", isRows(2)],
        ["ins", isRows(5)],
        ["ev", isText],
        ["evr", isHex(64)],
        ...INDEX,
      ],
    },
    w: {
      must: [
        ["a", isIndex],
        ["v", isInt],
        ["s", isNumber],
      ],
      may: INDEX,
    },
    cmd: {
      must: [
        ["i", isIndex],
        ["name", isText],
        ["raw", isHex(32)],
      ],
      may: [["ri", isRows(8)], ...INDEX],
    },
    cmderr: {
      must: [
        ["name", isText],
        ["err", isNumber],
      ],
      may: INDEX,
    },
    its: {
      must: [
        ["i", isIndex],
        ["c", isNumber],
        ["raw", isHex(64)],
      ],
      may: [],
    },
    msi: {
      must: ["dev", "data", "off", "ev_", "lpi", "icid", "v", "rd"].map((n) => [n, isNumber]),
      may: [],
    },
    pg: { must: [["a", isAddress]], may: [["k", isNumber]] },
    pgx: { must: [["a", isAddress]], may: [] },
  } satisfies Record<string, Shape>),
);
const STORE: Shape = {
  must: [
    ["a", isAddress],
    ["v", isHexWord],
  ],
  may: [],
};
for (const name of ["ms", "mw", "mq"]) SHAPES.set(name, STORE);

/** Operations that are part of the run but that a replay does not act on. */
const OTHERS = new Set(["r", "msixw", "msixc", "pcw", "gerror", "gerrorn", "irq"]);

/**
 * Parses and checks one line.
 * @returns undefined for an operation that a replay does not act on
 * @throws InputError naming the line and the member that does not fit
 */
export function parseOp(text: string, file: string, line: number): ReplayOp | undefined {
  let quick: Json | undefined;
  try {
    quick = JSON.parse(text) as Json;
  } catch {
    // The exact parser says where it goes wrong.
  }
  if (quick !== undefined && typeof checkOp(quick) !== "string") return asOp(quick);
  const exact = parseLine(text, file, line);
  const problem = checkOp(exact);
  if (typeof problem === "string") throw new InputError(file, problem, { line });
  return asOp(exact);
}

const asOp = (value: Json): ReplayOp | undefined =>
  OTHERS.has((value as JsonObject).op as string) ? undefined : (value as unknown as ReplayOp);

/** What is wrong with a parsed line, if anything; members that are null are taken out. */
function checkOp(value: Json): string | undefined {
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    return "an operation must be an object";
  }
  const { op } = value;
  if (typeof op !== "string") return '"op" is missing';
  const shape = SHAPES.get(op);
  if (!shape) return OTHERS.has(op) ? undefined : `unknown operation "${op}"`;
  for (const [name, test] of shape.must) {
    if (!test(value[name])) return `"${name}" of operation "${op}" is missing or malformed`;
  }
  for (const [name, test] of shape.may) {
    const member = value[name];
    if (member === undefined) continue;
    if (member === null) delete value[name];
    else if (!test(member)) return `"${name}" of operation "${op}" is malformed`;
  }
  return undefined;
}
