// A driver's queues in memory and its accesses to an SMMU's registers, physical or trapped (Linux
// 7.2 arm-smmu-v3).
import { CMD } from "../spec/command.ts";
import { EVENT } from "../spec/event.ts";
import {
  CMDQ_BASE,
  CMDQ_CONS,
  CMDQ_PROD,
  CR0,
  CR1,
  EVENTQ_BASE,
  EVENTQ_CONS,
  EVENTQ_PROD,
  GERROR,
  GERRORN,
  STRTAB_BASE,
  STRTAB_BASE_CFG,
} from "../spec/register.ts";
import { bytesOf, getField, packFields, wordsOf } from "../spec/word.ts";
import { sync } from "../tables/command.ts";
import type { TableMemory } from "../tables/memory.ts";
import type { HostPort } from "./host-port.ts";

const COMMANDS_LOG2 = 8;
const EVENTS_LOG2 = 7;
/** CR1: write-back and inner shareable everywhere. */
const WRITE_BACK = 1;
const INNER_SHAREABLE = 3;
const TWO_LEVEL = 1;

/** Registers of an SMMU as a driver reaches them. */
export interface RegisterPort {
  readRegister(offset: number, size?: 4 | 8): bigint;
  writeRegister(offset: number, value: bigint | number, size?: 4 | 8): void;
}

/** A command that the SMMU refused, and its CERROR code. */
export interface RefusedCommand {
  readonly command: Uint8Array;
  readonly cerror: number;
}

/** The port of a driver to an SMMU with real queues. */
export class DriverPort implements HostPort {
  /** Commands that the SMMU refused; the driver put a CMD_SYNC in their place. */
  readonly refused: RefusedCommand[] = [];
  /** Every command so far when `keep` was set. */
  readonly commands: Uint8Array[] = [];
  private readonly cmdq: bigint;
  private readonly eventq: bigint;
  private produced = 0;
  private consumed = 0;

  constructor(
    readonly smmu: RegisterPort,
    readonly memory: TableMemory,
    private readonly keep = false,
  ) {
    this.cmdq = memory.allocate(CMD.bytes * 2 ** COMMANDS_LOG2);
    this.eventq = memory.allocate(EVENT.bytes * 2 ** EVENTS_LOG2);
  }

  /** Programs the stream table and both queues, and enables the SMMU. */
  useStreamTable(base: bigint, log2: number, split: number): void {
    const word = (...args: Parameters<typeof packFields>): bigint => packFields(...args)[0];
    const cr1 = packFields(CR1, {
      QUEUE_IC: WRITE_BACK,
      QUEUE_OC: WRITE_BACK,
      QUEUE_SH: INNER_SHAREABLE,
      TABLE_IC: WRITE_BACK,
      TABLE_OC: WRITE_BACK,
      TABLE_SH: INNER_SHAREABLE,
    })[0];
    const { smmu } = this;
    smmu.writeRegister(CR1.offset, cr1);
    smmu.writeRegister(STRTAB_BASE.offset, word(STRTAB_BASE, { RA: 1, ADDR: base }), 8);
    smmu.writeRegister(
      STRTAB_BASE_CFG.offset,
      word(STRTAB_BASE_CFG, { LOG2SIZE: log2, SPLIT: split, FMT: TWO_LEVEL }),
    );
    smmu.writeRegister(
      CMDQ_BASE.offset,
      word(CMDQ_BASE, { LOG2SIZE: COMMANDS_LOG2, ADDR: this.cmdq, RA: 1 }),
      8,
    );
    smmu.writeRegister(CMDQ_PROD.offset, 0);
    smmu.writeRegister(CMDQ_CONS.offset, 0);
    smmu.writeRegister(
      EVENTQ_BASE.offset,
      word(EVENTQ_BASE, { LOG2SIZE: EVENTS_LOG2, ADDR: this.eventq, WA: 1 }),
      8,
    );
    smmu.writeRegister(EVENTQ_PROD.offset, 0);
    smmu.writeRegister(EVENTQ_CONS.offset, 0);
    smmu.writeRegister(CR0.offset, packFields(CR0, { CMDQEN: 1 })[0]);
    smmu.writeRegister(CR0.offset, packFields(CR0, { CMDQEN: 1, EVENTQEN: 1 })[0]);
    smmu.writeRegister(CR0.offset, packFields(CR0, { CMDQEN: 1, EVENTQEN: 1, SMMUEN: 1 })[0]);
  }

  issue(commands: readonly Uint8Array[]): void {
    for (const command of commands) {
      if (this.keep) this.commands.push(command);
      this.put(this.produced % 2 ** COMMANDS_LOG2, command);
      this.produced = (this.produced + 1) % 2 ** (COMMANDS_LOG2 + 1);
      this.smmu.writeRegister(CMDQ_PROD.offset, this.produced);
      this.skipErrors();
    }
  }

  /** Records of the event queue that the driver has not read yet, oldest first. */
  takeEvents(): Uint8Array[] {
    const prod = [this.smmu.readRegister(EVENTQ_PROD.offset)];
    const end = Number(getField(EVENTQ_PROD, prod, "WR"));
    const records: Uint8Array[] = [];
    while (this.consumed !== end) {
      const at = this.eventq + BigInt((this.consumed % 2 ** EVENTS_LOG2) * EVENT.bytes);
      records.push(bytesOf(this.words(at, EVENT.bytes)));
      this.consumed = (this.consumed + 1) % 2 ** (EVENTS_LOG2 + 1);
    }
    const OVACKFLG = getField(EVENTQ_PROD, prod, "OVFLG");
    const cons = packFields(EVENTQ_CONS, { RD: this.consumed, OVACKFLG })[0];
    this.smmu.writeRegister(EVENTQ_CONS.offset, cons);
    return records;
  }

  private words(at: bigint, bytes: number): bigint[] {
    return Array.from({ length: bytes / 8 }, (_, i) => this.memory.read64(at + BigInt(i * 8)));
  }

  private put(index: number, command: Uint8Array): void {
    const at = this.cmdq + BigInt(index * CMD.bytes);
    for (const [i, word] of wordsOf(command).entries())
      this.memory.write64(at + BigInt(i * 8), word);
  }

  /** A refused command becomes a CMD_SYNC, then the error is acknowledged and the queue goes on. */
  private skipErrors(): void {
    const { smmu } = this;
    const gerror = smmu.readRegister(GERROR.offset);
    if (gerror === smmu.readRegister(GERRORN.offset)) return;
    const cons = [smmu.readRegister(CMDQ_CONS.offset)];
    const index = Number(getField(CMDQ_CONS, cons, "RD")) % 2 ** COMMANDS_LOG2;
    const command = bytesOf(this.words(this.cmdq + BigInt(index * CMD.bytes), CMD.bytes));
    this.refused.push({ command, cerror: Number(getField(CMDQ_CONS, cons, "ERR")) });
    this.put(index, sync());
    smmu.writeRegister(GERRORN.offset, gerror);
  }
}
