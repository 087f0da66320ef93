// What an e1000 reads for one transmit descriptor (8254x manual, 3.3). Packets go nowhere: only the
// places and sizes of the reads matter.
import { E1000_TX_CONTEXT, E1000_TX_DATA, E1000_TX_LEGACY } from "../spec/e1000.ts";
import { getField } from "../spec/word.ts";

/** The packet buffer's bytes; its fill level counts modulo this. */
const BUFFER_BYTES = 0x10000;
/** Of DTALEN's 20 bits QEMU uses the low 16. */
const LENGTHS = 0x10000;

/** Reads at an IOVA. */
export type Fetch = (iova: bigint, bytes: number) => void;

const isSet = (words: readonly bigint[], name: "EOP" | "DEXT") =>
  getField(E1000_TX_LEGACY, words, name) === 1n;

/** The packet that is being put together. */
export class PacketAssembler {
  readonly #fetch: Fetch;
  /** Bytes of the packet, or of the segment, that are there. */
  #filled = 0;
  /** Bytes of header and of payload of each segment. */
  #segment = { header: 0, payload: 0 };

  constructor(fetch: Fetch) {
    this.#fetch = fetch;
  }

  reset(): void {
    this.#filled = 0;
    this.#segment = { header: 0, payload: 0 };
  }

  /** Carries out one descriptor, given as its two words. */
  take(words: readonly bigint[]): void {
    if (!isSet(words, "DEXT")) {
      this.#collect(words, Number(getField(E1000_TX_LEGACY, words, "Length")));
    } else if (getField(E1000_TX_DATA, words, "DTYP") % 2n === 0n) {
      this.#setContext(words);
      return;
    } else {
      const bytes = Number(getField(E1000_TX_DATA, words, "DTALEN")) % LENGTHS;
      if (getField(E1000_TX_DATA, words, "TSE") === 1n) this.#cut(words, bytes);
      else this.#collect(words, bytes);
    }
    if (isSet(words, "EOP")) this.#filled = 0;
  }

  #setContext(words: readonly bigint[]): void {
    if (getField(E1000_TX_CONTEXT, words, "TSE") === 0n) return;
    this.#segment = {
      header: Number(getField(E1000_TX_CONTEXT, words, "HDRLEN")),
      payload: Number(getField(E1000_TX_CONTEXT, words, "MSS")),
    };
  }

  /** Appends what fits. */
  #collect(words: readonly bigint[], bytes: number): void {
    const taken = Math.min(bytes, BUFFER_BYTES - this.#filled);
    if (taken > 0) this.#fetch(getField(E1000_TX_LEGACY, words, "Address"), taken);
    this.#filled = (this.#filled + taken) % BUFFER_BYTES;
  }

  /** Appends one segment's worth at a time; a full segment leaves, and its header stays. */
  #cut(words: readonly bigint[], bytes: number): void {
    const { header, payload } = this.#segment;
    const full = header + payload;
    let iova = getField(E1000_TX_DATA, words, "Address");
    for (let left = bytes; left > 0 && this.#filled < full; ) {
      const taken = Math.min(left, full - this.#filled, BUFFER_BYTES - this.#filled);
      this.#fetch(iova, taken);
      iova = BigInt.asUintN(64, iova + BigInt(taken));
      left -= taken;
      const filled = this.#filled + taken;
      this.#filled = filled === full ? header : filled % BUFFER_BYTES;
    }
  }
}
