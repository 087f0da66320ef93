// The MSI capability: one message with consecutive data, masked by bits (PCI Local Bus 3.0 6.8.1).
import { MSI_CONTROL } from "../spec/pci.ts";
import { CAPABILITY, type ConfigSpace } from "./config.ts";

/** What a function writes where to signal a vector. */
export interface MsiMessage {
  readonly address: bigint;
  readonly data: number;
}

/** Offsets within the capability; those after the address move up by 4 when it is 64 bits wide. */
const CONTROL = 2;
const ADDRESS = 4;
const ADDRESS_UPPER = 8;
const DATA_AFTER_32 = 8;
const MASK_AFTER_DATA = 4;
const PENDING_AFTER_DATA = 8;

/** The MSI capability of one function, backed by its configuration space. */
export class MsiCapability {
  private readonly config: ConfigSpace;
  /** Offset of the capability. */
  readonly offset: number;

  private constructor(config: ConfigSpace, offset: number) {
    this.config = config;
    this.offset = offset;
    config.allow(MSI_CONTROL, offset + CONTROL, ["Enable", "MultipleMessageEnable"]);
    const end = this.dataOffset + (this.hasMasks ? PENDING_AFTER_DATA : 2);
    config.writable.fill(0xff, offset + ADDRESS, end);
  }

  /** The MSI capability, if the function has one. */
  static of(config: ConfigSpace): MsiCapability | undefined {
    const offset = config.find(CAPABILITY.MSI);
    return offset === undefined ? undefined : new MsiCapability(config, offset);
  }

  get enabled(): boolean {
    return this.control("Enable") === 1;
  }

  /** True when each vector has a mask bit. */
  get hasMasks(): boolean {
    return this.control("PerVectorMasking") === 1;
  }

  /** Vectors that software granted: 1 to 32 (a reserved encoding counts as 32). */
  get vectorCount(): number {
    return 2 ** Math.min(this.control("MultipleMessageEnable"), 5);
  }

  /** True when the vector may not be signalled now. */
  isMasked(vector: number): boolean {
    if (!this.enabled || vector >= this.vectorCount) return true;
    if (!this.hasMasks) return false;
    const masks = this.config.read(this.dataOffset + MASK_AFTER_DATA, 4);
    return Math.floor(masks / 2 ** vector) % 2 === 1;
  }

  /** The message of a vector: the low bits of the data are replaced by the vector number. */
  message(vector: number): MsiMessage {
    const low = this.config.read(this.offset + ADDRESS, 4);
    const high = this.wide ? this.config.read(this.offset + ADDRESS_UPPER, 4) : 0;
    const data = this.config.read(this.dataOffset, 2);
    const count = this.vectorCount;
    return {
      address: BigInt(high) * 2n ** 32n + BigInt(low),
      data: Math.floor(data / count) * count + vector,
    };
  }

  private get wide(): boolean {
    return this.control("Address64") === 1;
  }

  private get dataOffset(): number {
    return this.offset + DATA_AFTER_32 + (this.wide ? 4 : 0);
  }

  private control(name: keyof typeof MSI_CONTROL.field): number {
    return this.config.number(MSI_CONTROL, this.offset + CONTROL, name);
  }
}
