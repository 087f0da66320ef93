// Our own machine as a target of conformance programs, in this process.
import type { IdRegisters } from "../engine/identity.ts";
import type { Compat } from "../engine/types.ts";
import { parseArguments } from "../qtest/arguments.ts";
import { QtestMachine } from "../qtest/machine.ts";
import { answerLine } from "../qtest/protocol.ts";
import { boardArguments, type ProgramTarget, RAM_BYTES, SMMU } from "./board.ts";

const MIB = 1048576;

/** The machine that `vsmmu-system-aarch64` serves, without a socket between. */
export class LocalTarget implements ProgramTarget {
  readonly smmu = SMMU;
  readonly #machine: QtestMachine;
  readonly #trace: string[];

  private constructor(machine: QtestMachine, trace: string[]) {
    this.#machine = machine;
    this.#trace = trace;
  }

  /** Builds the board; `compat` says whose behaviour it has, `id` replaces ID registers. */
  static async create(compat: Compat, id: Partial<IdRegisters> = {}): Promise<LocalTarget> {
    const trace: string[] = [];
    const options = ["-m", `${RAM_BYTES / MIB}`, "-trace", "smmu*", "-vsmmu-compat", compat];
    const args = parseArguments([...boardArguments(), ...options], {});
    const machine = await QtestMachine.create(args, (lines) => trace.push(...lines), id);
    return new LocalTarget(machine, trace);
  }

  async reset(): Promise<void> {
    this.#machine.reset();
  }

  async send(requests: string[]): Promise<string[]> {
    return requests.map((request) => {
      const answer = answerLine(this.#machine, request);
      if (!answer.startsWith("OK")) throw new Error(`${request}: ${answer}`);
      return answer.slice(3);
    });
  }

  async writeRam(blocks: { address: bigint; bytes: Uint8Array }[]): Promise<void> {
    for (const { address, bytes } of blocks) this.#machine.bus.write(address, bytes);
  }

  async readRam(address: bigint, length: number): Promise<Uint8Array> {
    return this.#machine.bus.readOrZero(address, length);
  }

  takeTrace(): string[] {
    return this.#trace.splice(0);
  }
}
