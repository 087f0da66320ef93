// Carries out the steps of a vector on the engine and writes down what came of them.
import { type IdRegisters, QEMU_ID } from "../engine/identity.ts";
import { AddressMap, HostMemory } from "../engine/memory.ts";
import { Smmu } from "../engine/smmu.ts";
import type { Compat, TranslateRequest, Translation } from "../engine/types.ts";
import { dmaPieces } from "../qtest/dma.ts";
import type { Hex, RunVector, Step, StepAnswer } from "./types.ts";

/** RAM of every vector. */
export const RAM = { base: 0x40000000n, bytes: 0x20000000 } as const;
const ID_OFFSETS: readonly (keyof IdRegisters)[] = ["idr0", "idr1", "idr2", "idr3", "idr4", "idr5"];
const OUTCOMES = ["ok", "bypass", "abort"];

const hex = (value: bigint | number): Hex => `0x${value.toString(16)}`;
const toHex = (bytes: Uint8Array): string =>
  Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");

/** ID registers in a vector's form. */
export const idOf = (id: Partial<IdRegisters> = {}): Record<Hex, Hex> =>
  Object.fromEntries(ID_OFFSETS.map((name, i) => [hex(i * 4), hex({ ...QEMU_ID, ...id }[name])]));

/** The machine of a vector. */
class Bench {
  readonly #smmu: Smmu;
  readonly #map: AddressMap;
  readonly #compat: Compat;

  private constructor(smmu: Smmu, map: AddressMap, compat: Compat) {
    this.#smmu = smmu;
    this.#map = map;
    this.#compat = compat;
  }

  static async create(given: RunVector["given"], compat: Compat): Promise<Bench> {
    const memory = HostMemory.create();
    const map = new AddressMap(memory);
    map.mapRam(RAM.base, RAM.bytes);
    const id = Object.fromEntries(
      ID_OFFSETS.map((name, i) => [name, Number(given.id[hex(i * 4)])]),
    ) as Partial<IdRegisters>;
    const smmu = await Smmu.create(memory, map, { compat, id });
    for (const [at, value] of given.memory) map.writeU64(BigInt(at), BigInt(value));
    return new Bench(smmu, map, compat);
  }

  step(step: Step): StepAnswer {
    switch (step.do) {
      case "write":
        this.#smmu.writeRegister(Number(step.offset), BigInt(step.value), step.bytes);
        return null;
      case "read":
        return hex(this.#smmu.readRegister(Number(step.offset), step.bytes));
      case "store":
        this.#map.writeU64(BigInt(step.address), BigInt(step.value));
        return null;
      case "access":
        return this.#access(step);
    }
  }

  #access({ streamId, iova, bytes, write }: Extract<Step, { do: "access" }>): StepAnswer {
    const events: string[] = [];
    let last: Translation = { status: "abort", fetches: 0 };
    const translate = (request: TranslateRequest): Translation => {
      const result = this.#smmu.translate(request);
      if (result.event?.recorded) events.push(toHex(result.event.record));
      if (OUTCOMES.includes(result.status)) last = result;
      else last = { ...last, status: "silent" };
      return result;
    };
    const access = { sid: streamId, iova: BigInt(iova), bytes, write };
    const direct = (pa: bigint) => (this.#map.isWritable(pa) ? BigInt(access.bytes) : 0n);
    for (const piece of dmaPieces(access, direct, translate, this.#compat)) {
      if (piece.pa !== undefined && write) {
        this.#map.writeBytes(piece.pa, new Uint8Array(piece.bytes));
      }
    }
    if (last.status === "ok") {
      const { pa = 0n, perm = 0, stage = 0 } = last;
      return { outcome: "ok", pa: hex(pa), perm: perm % 4, stage, events };
    }
    const outcome = last.status === "bypass" || last.status === "abort" ? last.status : "none";
    return { outcome, events };
  }
}

/** What the engine does with the steps of a vector. */
export async function answerSteps(
  given: RunVector["given"],
  compat: Compat,
): Promise<StepAnswer[]> {
  const bench = await Bench.create(given, compat);
  return given.steps.map((step) => bench.step(step));
}
