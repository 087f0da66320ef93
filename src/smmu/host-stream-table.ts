// The host's 2-level stream table: level-1 descriptors, and level-2 tables made when a stream needs
// one (IHI0070 5.1).
import { L1STD, STE } from "../spec/ste.ts";
import { packFields } from "../spec/word.ts";
import type { SteWords } from "./entry-writer.ts";
import type { HostPort } from "./host-port.ts";
import { abortSte } from "./host-ste.ts";

/** StreamID bits that a level-2 table resolves. */
const SPLIT = 8;

/** Stream table of one physical SMMU; unused streams abort. */
export class HostStreamTable {
  private readonly base: bigint;
  private readonly level2 = new Map<number, bigint>();

  constructor(
    private readonly port: HostPort,
    sidBits: number,
  ) {
    this.base = port.memory.allocate(L1STD.bytes * 2 ** Math.max(0, sidBits - SPLIT));
    port.useStreamTable(this.base, sidBits, SPLIT);
  }

  /** Address of the STE of a stream. */
  steOf(sid: number): bigint {
    const first = Math.floor(sid / 2 ** SPLIT);
    const table = this.level2.get(first) ?? this.addLevel2(first);
    return table + BigInt((sid % 2 ** SPLIT) * STE.bytes);
  }

  write(sid: number, ste: SteWords): void {
    const at = this.steOf(sid);
    for (const [i, word] of ste.entries()) this.port.memory.write64(at + BigInt(i * 8), word);
  }

  private addLevel2(first: number): bigint {
    const { memory } = this.port;
    const table = memory.allocate(STE.bytes * 2 ** SPLIT);
    const [valid] = abortSte();
    for (let i = 0; i < 2 ** SPLIT; i++) memory.write64(table + BigInt(i * STE.bytes), valid);
    const [descriptor] = packFields(L1STD, { L2Ptr: table, Span: SPLIT + 1 });
    memory.write64(this.base + BigInt(first * L1STD.bytes), descriptor);
    this.level2.set(first, table);
    return table;
  }
}
