// Typed access to parsed JSON; every complaint names the file and the path inside it.

import { InputError } from "./errors.ts";
import type { Json } from "./json.ts";

/** One value inside a JSON document, with the path that leads to it. */
export class Field {
  readonly file: string;
  readonly path: string;
  readonly value: Json | undefined;

  constructor(file: string, value: Json | undefined, path = "") {
    this.file = file;
    this.path = path;
    this.value = value;
  }

  /** Throws an InputError about this value. */
  fail(what: string): never {
    throw new InputError(this.file, `${this.path || "the document"} ${what}`);
  }

  /** The member `name`; its value is undefined when absent. */
  get(name: string): Field {
    const { value } = this;
    if (value === null || typeof value !== "object" || Array.isArray(value)) {
      this.fail(`must be an object, not ${describe(value)}`);
    }
    const member = Object.hasOwn(value, name) ? value[name] : undefined;
    return new Field(this.file, member, this.path ? `${this.path}.${name}` : name);
  }

  /** The member `name`, or undefined when it is absent or null. */
  optional(name: string): Field | undefined {
    const member = this.get(name);
    return member.value === undefined || member.value === null ? undefined : member;
  }

  /** The elements of an array. */
  list(): Field[] {
    const { value } = this;
    if (!Array.isArray(value)) this.fail(`must be an array, not ${describe(value)}`);
    return value.map((v, i) => new Field(this.file, v, `${this.path}[${i}]`));
  }

  /** The elements of the array member `name`; none when it is absent or null. */
  listOf(name: string): Field[] {
    return this.optional(name)?.list() ?? [];
  }

  /** Name and value of each member of an object. */
  entries(): [string, Field][] {
    const { value } = this;
    if (value === null || typeof value !== "object" || Array.isArray(value)) {
      this.fail(`must be an object, not ${describe(value)}`);
    }
    return Object.keys(value).map((name) => [name, this.get(name)]);
  }

  /** An unsigned integer of at most 64 bits; a "0x…" string is taken too. */
  u64(): bigint {
    const { value } = this;
    let n: bigint | undefined;
    if (typeof value === "bigint") n = value;
    else if (typeof value === "number" && Number.isInteger(value)) n = BigInt(value);
    else if (typeof value === "string" && /^0x[0-9a-fA-F]{1,16}$/.test(value)) n = BigInt(value);
    if (n === undefined) this.fail(`must be an integer, not ${describe(value)}`);
    if (n < 0n || n >= 1n << 64n) this.fail(`${n} does not fit 64 bits`);
    return n;
  }

  /** An unsigned integer up to `max` (2^32 - 1 unless told) as a number. */
  u32(max = 0xffff_ffff): number {
    const n = this.u64();
    if (n > BigInt(max)) this.fail(`${n} is larger than ${max}`);
    return Number(n);
  }

  /** A string. */
  text(): string {
    const { value } = this;
    if (typeof value !== "string") this.fail(`must be a string, not ${describe(value)}`);
    return value;
  }

  /** Bytes written as hexadecimal digits. */
  bytes(): Uint8Array {
    const digits = this.text();
    if (digits.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(digits)) {
      this.fail("must be an even number of hexadecimal digits");
    }
    return bytesFromHex(digits);
  }
}

/** Value of a hexadecimal digit by its character code. */
const DIGIT = new Uint8Array(128);
for (const [i, c] of [..."0123456789abcdef"].entries()) {
  DIGIT[c.charCodeAt(0)] = i;
  DIGIT[c.toUpperCase().charCodeAt(0)] = i;
}

/** Bytes of an even number of hexadecimal digits (checked by the caller). */
export function bytesFromHex(digits: string): Uint8Array {
  const bytes = new Uint8Array(digits.length >> 1);
  for (let i = 0; i < bytes.length; i++) {
    const high = DIGIT[digits.charCodeAt(2 * i)];
    bytes[i] = high * 16 + DIGIT[digits.charCodeAt(2 * i + 1)];
  }
  return bytes;
}

function describe(value: Json | undefined): string {
  if (value === undefined) return "absent";
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return "an object";
  return typeof value === "string" ? JSON.stringify(value.slice(0, 40)) : String(value);
}
