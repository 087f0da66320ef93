// Reads ELF64 little-endian AArch64 cores: PT_LOAD segments by physical address (ELF gABI 2).

import { InputError } from "./errors.ts";

/** Random access to an input's bytes; a file may stay on disk. */
export interface ByteSource {
  /** Name for messages. */
  readonly name: string;
  /** Bytes in all. */
  readonly size: number;
  /** Exactly `length` bytes from `offset`; the caller stays inside `size`. */
  read(offset: number, length: number): Uint8Array;
}

/** One PT_LOAD: `fileBytes` from the file, zeros up to `bytes`. */
export interface Segment {
  /** Physical address of the first byte (p_paddr), page aligned. */
  readonly base: bigint;
  /** Bytes in memory (p_memsz), a page multiple. */
  readonly bytes: bigint;
  /** Where the file's part starts. */
  readonly fileOffset: number;
  /** Bytes that the file holds (p_filesz). */
  readonly fileBytes: number;
  /** Byte offset of the program header, for messages. */
  readonly header: number;
}

/** Page size of every mapping and of the sparse image, in bytes. */
export const PAGE_BYTES = 4096;

const PAGE = BigInt(PAGE_BYTES);
const HEADER_BYTES = 64;
const PHDR_BYTES = 56;
const SHDR_BYTES = 64;
const ET_CORE = 4;
const EM_AARCH64 = 183;
const PT_LOAD = 1;
const PN_XNUM = 0xffff;
const ADDRESS_LIMIT = 1n << 48n;

/** A byte source over bytes in memory. */
export function bytesSource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    size: bytes.length,
    read: (offset, length) => bytes.subarray(offset, offset + length),
  };
}

/**
 * Reads the PT_LOAD segments of a core, sorted by address.
 * Accepts this project's captures and full `dump-guest-memory` cores (whose e_ehsize may be wrong).
 * @throws InputError naming the file, the byte offset and the remedy
 */
export function readCore(source: ByteSource): Segment[] {
  const { phoff, phentsize, phnum } = readHeader(source);
  const end = phoff + phentsize * phnum;
  if (end > source.size) {
    throw new InputError(
      source.name,
      `the ${phnum} program headers end at byte ${end}, but the file has ${source.size} bytes`,
      { offset: phoff },
      "the file is truncated: copy it again",
    );
  }
  const segments: Segment[] = [];
  for (let i = 0; i < phnum; i++) {
    const segment = readSegment(source, phoff + i * phentsize);
    if (segment) segments.push(segment);
  }
  if (segments.length === 0) {
    throw new InputError(
      source.name,
      "no PT_LOAD segment",
      { offset: phoff },
      "a core of a guest's memory has one for each RAM block",
    );
  }
  segments.sort((a, b) => (a.base < b.base ? -1 : a.base > b.base ? 1 : 0));
  checkOverlap(source.name, segments);
  return segments;
}

function readHeader(source: ByteSource): { phoff: number; phentsize: number; phnum: number } {
  if (source.size < HEADER_BYTES) {
    throw new InputError(
      source.name,
      `${source.size} bytes are too short for an ELF64 header of ${HEADER_BYTES}`,
      { offset: source.size },
      "the file is truncated: copy it again",
    );
  }
  const head = viewOf(source.read(0, HEADER_BYTES));
  const want = (offset: number, got: number, value: number, what: string, fix: string) => {
    if (got === value) return;
    throw new InputError(source.name, `${what} is ${got}, not ${value}`, { offset }, fix);
  };
  if (head.getUint32(0, false) !== 0x7f454c46) {
    throw new InputError(
      source.name,
      "not an ELF file (the magic 7f 45 4c 46 is missing)",
      { offset: 0 },
      "give a core made by dump-guest-memory, or a capture's memory.elf.gz",
    );
  }
  want(4, head.getUint8(4), 2, "ELF class", "only 64-bit cores (ELFCLASS64) can be read");
  want(5, head.getUint8(5), 1, "ELF data encoding", "only little-endian cores can be read");
  want(16, head.getUint16(16, true), ET_CORE, "e_type", "the file is not a core dump (ET_CORE)");
  want(18, head.getUint16(18, true), EM_AARCH64, "e_machine", "the guest is not AArch64");
  const phoff = safeOffset(source, head, 32, "e_phoff");
  const phentsize = head.getUint16(54, true);
  want(54, phentsize, PHDR_BYTES, "e_phentsize", "the program header table is damaged");
  let phnum = head.getUint16(56, true);
  if (phnum === PN_XNUM) phnum = extendedCount(source, head);
  return { phoff, phentsize, phnum };
}

/** With e_phnum = 0xffff the real number is in sh_info of section header 0. */
function extendedCount(source: ByteSource, head: DataView): number {
  const shoff = safeOffset(source, head, 40, "e_shoff");
  if (shoff + SHDR_BYTES > source.size) {
    throw new InputError(
      source.name,
      "e_phnum is 0xffff, but section header 0 lies outside the file",
      { offset: 40 },
      "the file is truncated: copy it again",
    );
  }
  return viewOf(source.read(shoff, SHDR_BYTES)).getUint32(44, true);
}

function readSegment(source: ByteSource, at: number): Segment | undefined {
  const p = viewOf(source.read(at, PHDR_BYTES));
  if (p.getUint32(0, true) !== PT_LOAD) return undefined;
  const base = p.getBigUint64(24, true);
  const bytes = p.getBigUint64(40, true);
  const fileSize = p.getBigUint64(32, true);
  const fileOffset = p.getBigUint64(8, true);
  const fail = (field: number, what: string, fix: string): never => {
    throw new InputError(source.name, what, { offset: at + field }, fix);
  };
  if (fileSize > bytes) fail(32, "p_filesz is larger than p_memsz", "the header is damaged");
  const end = fileOffset + fileSize;
  if (end > BigInt(source.size)) {
    fail(
      8,
      `the segment at ${hex(base)} ends at byte ${end} of a file of ${source.size}`,
      "the file is truncated: copy it again",
    );
  }
  if (base % PAGE !== 0n) fail(24, `p_paddr ${hex(base)} is not 4 KiB aligned`, "align it");
  if (bytes % PAGE !== 0n) fail(40, `p_memsz ${hex(bytes)} is not a multiple of 4 KiB`, "pad it");
  if (base + bytes > ADDRESS_LIMIT) {
    fail(24, `the segment ends above the 48-bit address space`, "the header is damaged");
  }
  if (bytes === 0n) return undefined;
  return {
    base,
    bytes,
    fileOffset: Number(fileOffset),
    fileBytes: Number(fileSize),
    header: at,
  };
}

function checkOverlap(name: string, segments: Segment[]): void {
  for (let i = 1; i < segments.length; i++) {
    const a = segments[i - 1];
    const b = segments[i];
    if (a.base + a.bytes <= b.base) continue;
    throw new InputError(
      name,
      `segment ${hex(b.base)} overlaps segment ${hex(a.base)} of ${hex(a.bytes)} bytes`,
      { offset: b.header },
      "each address may be in one PT_LOAD only",
    );
  }
}

function safeOffset(source: ByteSource, head: DataView, at: number, what: string): number {
  const value = head.getBigUint64(at, true);
  if (value <= BigInt(source.size)) return Number(value);
  throw new InputError(
    source.name,
    `${what} ${hex(value)} lies outside the file of ${source.size} bytes`,
    { offset: at },
    "the file is truncated: copy it again",
  );
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
