// Guest memory during a replay: pages appear as the lists name them, words change as they say.

import type { AddressMap } from "../engine/memory.ts";
import { PAGE_BYTES } from "./elf.ts";
import type { MemoryImage } from "./image.ts";
import type { Int } from "./json.ts";

const WORD = 2 ** 32;
const ADDRESS_LIMIT = 2 ** 48;

/** The memory that one replay's SMMUs see. Addresses are numbers: below 2^52 they are exact. */
export class ReplayMemory {
  readonly map: AddressMap;
  readonly #memory: WebAssembly.Memory;
  /** Where a page's first content comes from; without it new pages are zero. */
  #image: MemoryImage | undefined;
  readonly #ram: { base: number; end: number }[];
  readonly #pages = new Map<number, number>();
  /** Linear pages that were taken away, for reuse. */
  readonly #free: number[] = [];
  #view: DataView;

  /**
   * @param ram the guest's RAM; pages elsewhere are not created. Empty: no limit.
   */
  constructor(
    map: AddressMap,
    memory: WebAssembly.Memory,
    ram: { base: bigint; bytes: bigint }[],
    image?: MemoryImage,
  ) {
    this.map = map;
    this.#memory = memory;
    this.#image = image;
    this.#ram = ram.map((r) => ({ base: Number(r.base), end: Number(r.base + r.bytes) }));
    this.#view = new DataView(memory.buffer);
  }

  /** Whether `pa` may be memory at all. */
  isRam(pa: number): boolean {
    return this.#ram.length === 0 || this.#ram.some((r) => pa >= r.base && pa < r.end);
  }

  /** Starts anew with nothing: from now on only what is stored is known. */
  forgetImage(): void {
    for (const base of [...this.#pages.keys()]) this.remove(base);
    this.#image = undefined;
  }

  /**
   * Makes the page of `pa` exist; false when it is outside the guest's RAM.
   * @param anywhere also outside RAM: something else answered there (flash, a device)
   */
  ensure(pa: number, anywhere = false): boolean {
    return this.#locate(pa, anywhere) >= 0;
  }

  /** Whether the page of `pa` exists. */
  knows(pa: number): boolean {
    return this.#pages.has(pa - (pa % PAGE_BYTES));
  }

  /** Takes the page of `pa` away. */
  remove(pa: number): void {
    const base = pa - (pa % PAGE_BYTES);
    const lin = this.#pages.get(base);
    if (lin === undefined) return;
    this.#pages.delete(base);
    this.#free.push(lin);
    this.map.unmap(BigInt(base), PAGE_BYTES);
  }

  /** Makes the page of `pa` exist, all zero. */
  clear(pa: number): void {
    const lin = this.#locate(pa);
    if (lin < 0) return;
    new Uint8Array(this.#memory.buffer, lin - (lin % PAGE_BYTES), PAGE_BYTES).fill(0);
  }

  /** The word at `pa`; undefined when its page does not exist. */
  read(pa: bigint): bigint | undefined {
    return this.map.readU64(pa);
  }

  /** Stores a word, creating its page; false when it is outside the guest's RAM. */
  write(pa: number, value: Int, anywhere = false): boolean {
    const lin = this.#locate(pa, anywhere);
    if (lin < 0) return false;
    const view = this.#current();
    if (typeof value === "bigint") {
      view.setBigUint64(lin, value, true);
    } else {
      view.setUint32(lin, value >>> 0, true);
      view.setUint32(lin + 4, Math.floor(value / WORD), true);
    }
    return true;
  }

  /** Stores bytes, creating pages as needed. */
  writeBytes(pa: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const room = PAGE_BYTES - ((pa + at) % PAGE_BYTES);
      const part = bytes.subarray(at, at + room);
      const lin = this.#locate(pa + at);
      if (lin >= 0) new Uint8Array(this.#memory.buffer).set(part, lin);
      at += part.length;
    }
  }

  /** Stores consecutive words. */
  writeWords(pa: number, words: readonly bigint[]): void {
    words.forEach((word, i) => {
      this.write(pa + 8 * i, word);
    });
  }

  #current(): DataView {
    if (this.#view.buffer !== this.#memory.buffer) this.#view = new DataView(this.#memory.buffer);
    return this.#view;
  }

  /** Linear address of `pa`, creating its page; -1 outside RAM. */
  #locate(pa: number, anywhere = false): number {
    const offset = pa % PAGE_BYTES;
    const base = pa - offset;
    const known = this.#pages.get(base);
    if (known !== undefined) return known + offset;
    const mapped = this.map.lin(BigInt(base));
    if (mapped >= 0) {
      this.#pages.set(base, mapped);
      return mapped + offset;
    }
    if (!(base >= 0 && base < ADDRESS_LIMIT)) return -1;
    if (!anywhere && !this.isRam(base)) return -1;
    const lin = this.map.mapRam(BigInt(base), PAGE_BYTES, this.#free.pop());
    this.#pages.set(base, lin);
    const content = this.#image?.page(BigInt(base));
    const page = new Uint8Array(this.#memory.buffer, lin, PAGE_BYTES);
    if (content) page.set(content);
    else page.fill(0);
    return lin + offset;
  }
}
