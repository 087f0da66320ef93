// An engine instance as the guest's emulated SMMU, its commands taken one by one.
import type { Smmu } from "../engine/smmu.ts";
import { AIDR, IDR0, IDR1, IDR2, IDR3, IDR4, IDR5, IIDR } from "../spec/register.ts";
import type { GuestSmmu } from "./accel-port.ts";
import type { GuestIdRegisters } from "./accel-properties.ts";

const ID_OFFSETS: Readonly<Record<keyof GuestIdRegisters, number>> = {
  IDR0: IDR0.offset,
  IDR1: IDR1.offset,
  IDR2: IDR2.offset,
  IDR3: IDR3.offset,
  IDR4: IDR4.offset,
  IDR5: IDR5.offset,
  IIDR: IIDR.offset,
  AIDR: AIDR.offset,
};

/** The emulated SMMU of an accelerated vSMMU. */
export class EngineGuest implements GuestSmmu {
  constructor(readonly smmu: Smmu) {
    smmu.autoConsume(false);
  }

  get guestReads(): number {
    return this.smmu.counters.guestReads;
  }

  readRegister(offset: number, size: 4 | 8 = 4): bigint {
    return this.smmu.readRegister(offset, size);
  }

  writeRegister(offset: number, value: bigint | number, size: 4 | 8 = 4): void {
    this.smmu.writeRegister(offset, value, size);
  }

  stepCommand(): Uint8Array | undefined {
    return this.smmu.stepCommands(1) === 0 ? undefined : this.smmu.lastCommand();
  }

  rejectCommand(cerror: number): void {
    this.smmu.rejectCommand(cerror);
  }

  findSte(sid: number): bigint[] | undefined {
    const ste = this.smmu.findSte(sid);
    return typeof ste === "number" ? undefined : ste;
  }

  appendEvent(record: Uint8Array): boolean {
    return this.smmu.appendEvent(record);
  }

  reset(): void {
    this.smmu.reset();
  }

  identify(id: GuestIdRegisters): void {
    const named = Object.entries(ID_OFFSETS) as [keyof GuestIdRegisters, number][];
    this.smmu.restoreRegisters(named.map(([name, offset]) => [offset, id[name]]));
  }
}
