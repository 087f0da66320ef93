// The command queue of a timed machine: commands in guest memory, and the register writes that have
// them consumed.
import { CMDQ_PROD } from "../../src/spec/register.ts";
import { randomNumbers } from "./ring.ts";
import { QUEUE_ENTRIES, type World } from "./world.ts";

const COMMAND_BYTES = 16;
/** The index of CMDQ_PROD with its wrap bit counts this far. */
const INDEXES = 2 * QUEUE_ENTRIES;

/** One queue. Register values come from here, so that every contestant gets the same ones. */
export class CommandQueue {
  readonly #world: World;
  #next = 0;

  constructor(world: World) {
    this.#world = world;
  }

  #write(index: number, bytes: Uint8Array): void {
    const at = this.#world.commandQueue + (index % QUEUE_ENTRIES) * COMMAND_BYTES;
    this.#world.memory.bytes(this.#world.lin(at), COMMAND_BYTES).set(bytes);
  }

  /** Fills the whole queue with random commands; every pass consumes all of them. */
  fill(make: (random: () => number, index: number) => Uint8Array): void {
    const random = randomNumbers(QUEUE_ENTRIES);
    for (let i = 0; i < QUEUE_ENTRIES; i++) this.#write(i, make(random, i));
  }

  /** Appends one command behind the last that was consumed. */
  put(bytes: Uint8Array): void {
    this.#write(this.#next, bytes);
  }

  /** The register write that makes `count` more commands available: offset, size, value. */
  produce(count: number): [offset: number, size: number, value: bigint] {
    this.#next = (this.#next + count) % INDEXES;
    return [CMDQ_PROD.offset, 4, BigInt(this.#next)];
  }
}
