// JSON with exact integers: a number that a double cannot hold becomes a bigint.

/** An integer as a capture writes it: a safe number, or a bigint above 2^53. */
export type Int = number | bigint;

/** Any JSON value with exact integers. */
export type Json = null | boolean | string | Int | Json[] | { [key: string]: Json };

/** A syntax error with its character position. */
export class JsonError extends Error {
  readonly position: number;
  constructor(message: string, position: number) {
    super(message);
    this.name = "JsonError";
    this.position = position;
  }
}

const LONG_NUMBER = /[[:,\s]-?\d{16}/;
const NUMBER = /-?\d+(\.\d+)?([eE][+-]?\d+)?/y;
const WORDS: [string, Json][] = [
  ["true", true],
  ["false", false],
  ["null", null],
];
const DEPTH_MAX = 200;

/**
 * Parses JSON without losing integer bits.
 * @throws JsonError with the position of the first character that does not fit
 */
export function parseJson(text: string): Json {
  if (!LONG_NUMBER.test(text)) {
    try {
      return JSON.parse(text) as Json;
    } catch {
      // The exact parser below finds the position.
    }
  }
  return new Parser(text).parse();
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Json {
    const value = this.#value(0);
    this.#space();
    if (this.#at < this.#text.length) this.#fail("unexpected text after the value");
    return value;
  }

  #fail(message: string): never {
    throw new JsonError(message, this.#at);
  }

  #space(): void {
    while (" \t\r\n".includes(this.#text[this.#at] ?? "x")) this.#at++;
  }

  #value(depth: number): Json {
    if (depth > DEPTH_MAX) this.#fail("nested too deeply");
    this.#space();
    const c = this.#text[this.#at];
    if (c === "{") return this.#object(depth);
    if (c === "[") return this.#array(depth);
    if (c === '"') return this.#string();
    for (const [word, value] of WORDS) {
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return value;
      }
    }
    return this.#number();
  }

  #number(): Json {
    NUMBER.lastIndex = this.#at;
    const m = NUMBER.exec(this.#text);
    if (!m) this.#fail(this.#at < this.#text.length ? "unexpected character" : "unexpected end");
    this.#at += m[0].length;
    const value = Number(m[0]);
    if (m[1] || m[2] || Number.isSafeInteger(value)) return value;
    return BigInt(m[0]);
  }

  #string(): string {
    let end = this.#at + 1;
    while (this.#text[end] !== '"') {
      if (end >= this.#text.length) this.#fail("string without an end");
      end += this.#text[end] === "\\" ? 2 : 1;
    }
    const raw = this.#text.slice(this.#at, end + 1);
    let value: string;
    try {
      value = JSON.parse(raw) as string;
    } catch {
      this.#fail("bad string");
    }
    this.#at = end + 1;
    return value;
  }

  #array(depth: number): Json[] {
    const list: Json[] = [];
    this.#at++;
    this.#space();
    if (this.#text[this.#at] === "]") {
      this.#at++;
      return list;
    }
    for (;;) {
      list.push(this.#value(depth + 1));
      if (this.#next("]")) return list;
    }
  }

  #object(depth: number): { [key: string]: Json } {
    const entries: [string, Json][] = [];
    this.#at++;
    this.#space();
    if (this.#text[this.#at] === "}") {
      this.#at++;
      return {};
    }
    for (;;) {
      this.#space();
      if (this.#text[this.#at] !== '"') this.#fail("expected a name in quotes");
      const name = this.#string();
      this.#space();
      if (this.#text[this.#at] !== ":") this.#fail("expected ':'");
      this.#at++;
      entries.push([name, this.#value(depth + 1)]);
      if (this.#next("}")) return Object.fromEntries(entries);
    }
  }

  /** Consumes ',' (false) or the closing bracket (true). */
  #next(close: string): boolean {
    this.#space();
    const c = this.#text[this.#at];
    if (c !== close && c !== ",") this.#fail(`expected ',' or '${close}'`);
    this.#at++;
    return c === close;
  }
}
