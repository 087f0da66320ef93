// Linear memory as host physical memory: the room for guests, tables and engine states.

const PAGE = 4096;
const WASM_PAGE = 65536;
const WASM_PAGES_MAX = 65536;

/** How linear memory is created. */
export interface HostMemoryOptions {
  /** Shared between workers. Needs cross-origin isolation in a browser. Default false. */
  shared?: boolean;
  /** Upper bound in 64 KiB pages; default 65536 (4 GiB). */
  maximumPages?: number;
  /**
   * A memory to adopt instead of a new one. What it holds stays untouched: fresh space is taken
   * beyond its present size.
   */
  adopt?: WebAssembly.Memory;
}

const isShared = (buffer: ArrayBufferLike): boolean =>
  typeof SharedArrayBuffer !== "undefined" && buffer instanceof SharedArrayBuffer;

/** One linear memory: the host physical memory of one machine, and the state of its engines. */
export class HostMemory {
  readonly memory: WebAssembly.Memory;
  readonly shared: boolean;
  readonly #maximumPages: number;
  #next = PAGE;
  #view: DataView;

  constructor(options: HostMemoryOptions = {}) {
    this.#maximumPages = options.maximumPages ?? WASM_PAGES_MAX;
    if (options.adopt) {
      this.memory = options.adopt;
      this.#next = this.memory.buffer.byteLength;
    } else {
      const shared = options.shared ?? false;
      this.memory = new WebAssembly.Memory({ initial: 16, maximum: this.#maximumPages, shared });
    }
    this.shared = isShared(this.memory.buffer);
    this.#view = new DataView(this.memory.buffer);
  }

  /** Creates a memory. */
  static create(options: HostMemoryOptions = {}): HostMemory {
    return new HostMemory(options);
  }

  /**
   * Reserves `bytes` zeroed bytes at a multiple of `align` (a power of two) and gives their linear
   * address. Grows the memory as needed; throws a RangeError beyond its maximum.
   */
  alloc(bytes: number, align = 16): number {
    const at = Math.ceil(this.#next / align) * align;
    const end = at + bytes;
    const have = this.memory.buffer.byteLength;
    if (end > have) {
      const pages = Math.ceil((end - have) / WASM_PAGE);
      if (have / WASM_PAGE + pages > this.#maximumPages) {
        throw new RangeError(
          `linear memory is full: ${bytes} bytes more do not fit in ${this.#maximumPages} pages`,
        );
      }
      this.memory.grow(pages);
    }
    this.#next = end;
    return at;
  }

  /** A view of the whole memory, renewed after growth, which detaches an unshared buffer. */
  view(): DataView {
    if (!this.shared && this.#view.buffer.byteLength !== 0) return this.#view;
    if (this.#view.buffer !== this.memory.buffer) this.#view = new DataView(this.memory.buffer);
    return this.#view;
  }

  /** A live view of `length` bytes at `lin`; take it again after `alloc`. */
  bytes(lin: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, lin, length);
  }

  readU32(lin: number): number {
    return this.view().getUint32(lin, true);
  }

  readU64(lin: number): bigint {
    return this.view().getBigUint64(lin, true);
  }

  writeU32(lin: number, value: number): void {
    this.view().setUint32(lin, value, true);
  }

  writeU64(lin: number, value: bigint): void {
    this.view().setBigUint64(lin, value, true);
  }
}
