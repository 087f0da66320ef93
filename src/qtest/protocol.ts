// The qtest line protocol: one request line, one answer line.
import type { Bus } from "./bus.ts";
import { bytesFrom, littleEndian } from "./bus.ts";

/** The machine behind the protocol. */
export interface ProtocolTarget {
  readonly bus: Bus;
  /** The virtual clock in nanoseconds. */
  readonly clock: bigint;
  /** Lets virtual time pass; without a number, up to the next timer. False when there is none. */
  clockStep(ns?: bigint): boolean;
  /** Sets the clock, running what falls due before. */
  clockSet(ns: bigint): void;
}

/** Bytes that one request may move. */
const LENGTH_MAX = 0x10000000n;
const SIZES: Record<string, number> = { b: 1, w: 2, l: 4, q: 8 };

class BadRequest extends Error {}

function number(text: string | undefined): bigint {
  if (text === undefined || !/^(0[xX][0-9a-fA-F]+|\d+)$/.test(text)) {
    throw new BadRequest(`not a number: ${text ?? "nothing"}`);
  }
  return BigInt.asUintN(64, BigInt(text));
}

function length(text: string | undefined): number {
  const value = number(text);
  if (value === 0n || value > LENGTH_MAX) throw new BadRequest(`length ${value} is out of range`);
  return Number(value);
}

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const hex16 = (value: bigint): string => `0x${value.toString(16).padStart(16, "0")}`;

/** `0x…` digits as bytes, zero-filled or cut to `size`. */
function hexBytes(text: string | undefined, size: number): Uint8Array {
  if (!text?.startsWith("0x")) throw new BadRequest("data must start with 0x");
  const bytes = new Uint8Array(size);
  bytes.set(Buffer.from(text.slice(2), "hex").subarray(0, size));
  return bytes;
}

function read(target: ProtocolTarget, words: string[]): string {
  const bytes = target.bus.readOrZero(number(words[1]), length(words[2]));
  return `0x${toHex(bytes)}`;
}

function write(target: ProtocolTarget, words: string[]): string {
  const size = length(words[2]);
  target.bus.write(number(words[1]), hexBytes(words[3], size));
  return "";
}

function base64Write(target: ProtocolTarget, words: string[]): string {
  const size = length(words[2]);
  const bytes = new Uint8Array(size);
  bytes.set(Buffer.from(words[3] ?? "", "base64").subarray(0, size));
  target.bus.write(number(words[1]), bytes);
  return "";
}

function fill(target: ProtocolTarget, words: string[]): string {
  const bytes = new Uint8Array(length(words[2])).fill(Number(number(words[3]) % 256n));
  target.bus.write(number(words[1]), bytes);
  return "";
}

const COMMANDS = new Map<string, (target: ProtocolTarget, words: string[]) => string>(
  Object.entries({
    endianness: () => "little",
    big_endian: () => "little",
    read,
    write,
    memset: fill,
    b64read: (target: ProtocolTarget, words: string[]) =>
      Buffer.from(target.bus.readOrZero(number(words[1]), length(words[2]))).toString("base64"),
    b64write: base64Write,
    clock_step(target: ProtocolTarget, words: string[]) {
      const known = target.clockStep(words[1] === undefined ? undefined : number(words[1]));
      if (!known) throw new BadRequest("there is no pending deadline");
      return String(target.clock);
    },
    clock_set(target: ProtocolTarget, words: string[]) {
      target.clockSet(number(words[1]));
      return String(target.clock);
    },
    irq_intercept_in: () => "",
    irq_intercept_out: () => "",
    set_irq_in: () => "",
    get_irq_level: () => "0",
    module_load: () => "",
    inb: () => "0x00ff",
    inw: () => "0xffff",
    inl: () => "0xffffffff",
    outb: () => "",
    outw: () => "",
    outl: () => "",
  }),
);

/** readb … readq, writeb … writeq */
function sized(target: ProtocolTarget, words: string[]): string | undefined {
  const match = /^(read|write)([bwlq])$/.exec(words[0]);
  if (!match) return undefined;
  const size = SIZES[match[2]];
  const address = number(words[1]);
  if (match[1] === "read") return hex16(littleEndian(target.bus.readOrZero(address, size)));
  target.bus.write(address, bytesFrom(number(words[2]), size));
  return "";
}

/** Answers one request line. */
export function answerLine(target: ProtocolTarget, line: string): string {
  const words = line.trim().split(/ +/);
  try {
    const result = sized(target, words) ?? COMMANDS.get(words[0])?.(target, words);
    if (result === undefined) return `FAIL Unknown command '${words[0]}'`;
    return result === "" ? "OK" : `OK ${result}`;
  } catch (error) {
    if (error instanceof BadRequest) return `FAIL ${error.message}`;
    throw error;
  }
}
