// The guest's GIC driver, as little of it as messages need: tables, LPIs, and events mapped to them
// (IHI0069 5).
import type { Its } from "../gic/its.ts";
import { GICR_TYPER } from "../spec/abi-its.ts";
import { ITS_CMD } from "../spec/its-command.ts";
import { GICR_PENDBASER, GICR_PROPBASER, GITS_BASER, GITS_CBASER } from "../spec/its-register.ts";
import { LPI_CONFIG } from "../spec/its-table.ts";
import { packFields } from "../spec/word.ts";
import type { TableMemory } from "../tables/memory.ts";

const QUEUE_BYTES = 0x1_0000;
const TABLE_BYTES = 0x1_0000;
const PAGE = 4096;
const PAGES_64K = 2;
const EVENT_BITS = 5;
const ITT_BYTES = 0x1000;
/** INTID of the first LPI. */
export const LPI_FIRST = 8192;
const LPI_ID_BITS = 14;
const COLLECTION = 0;

type CommandName = keyof typeof ITS_CMD.cases;
type CommandFields = Parameters<typeof packFields<keyof typeof ITS_CMD.field & string>>[1];

/** One guest's ITS driver: every event gets the next LPI. */
export class GuestIts {
  private readonly queue: bigint;
  private readonly config: bigint;
  private readonly devices = new Set<number>();
  private offset = 0;
  private lpi = LPI_FIRST;

  /** Programs tables and queue and enables the ITS. */
  constructor(
    private readonly its: Its,
    private readonly memory: TableMemory,
  ) {
    this.queue = memory.allocate(QUEUE_BYTES);
    this.config = memory.allocate(2 ** LPI_ID_BITS);
    const pending = memory.allocate(TABLE_BYTES);
    its.setRedistributor(COLLECTION, {
      typer: packFields(GICR_TYPER, { PLPIS: 1, Processor_Number: 0 })[0],
      propbaser: packFields(GICR_PROPBASER, {
        IDbits: LPI_ID_BITS - 1,
        Physical_Address: this.config,
      })[0],
      pendbaser: packFields(GICR_PENDBASER, { Physical_Address: pending })[0],
      ctlr: 1,
    });
    const table = () =>
      packFields(GITS_BASER, {
        Page_Size: PAGES_64K,
        Physical_Address: memory.allocate(TABLE_BYTES),
        Valid: 1,
      })[0];
    its.setRegister("CBASER", this.queueRegister);
    its.setRegister("BASER0", table());
    its.setRegister("BASER1", table());
    its.setRegister("CTLR", 1);
    this.run("ITS_MAPC", { ICID: COLLECTION, RDbase: 0, V: 1 });
  }

  private get queueRegister(): bigint {
    const Size = QUEUE_BYTES / PAGE - 1;
    return packFields(GITS_CBASER, { Size, Physical_Address: this.queue, Valid: 1 })[0];
  }

  /** Maps an event of a device to a new enabled LPI and returns its INTID. */
  map(deviceId: number, eventId: number): number {
    if (!this.devices.has(deviceId)) {
      const itt = this.memory.allocate(ITT_BYTES);
      const size = { "MAPD.Size": EVENT_BITS - 1, "MAPD.ITT_addr": itt };
      this.run("ITS_MAPD", { DeviceID: deviceId, ...size, V: 1 });
      this.devices.add(deviceId);
    }
    const lpi = this.lpi++;
    this.enable(lpi);
    this.run("ITS_MAPTI", {
      DeviceID: deviceId,
      EventID: eventId,
      pINTID: lpi,
      ICID: COLLECTION,
    });
    return lpi;
  }

  private enable(lpi: number): void {
    const index = lpi - LPI_FIRST;
    const at = this.config + BigInt(Math.floor(index / 8) * 8);
    const byte = packFields(LPI_CONFIG, { Enable: 1, "Group1/RES1": 1, Priority: 40 })[0];
    const scale = 2n ** BigInt(8 * (index % 8));
    this.memory.write64(at, this.memory.read64(at) + byte * scale);
  }

  private run(name: CommandName, fields: CommandFields): void {
    const words = packFields(ITS_CMD, { ...fields, Opcode: ITS_CMD.cases[name].value });
    const at = this.queue + BigInt(this.offset);
    for (const [i, word] of words.entries()) this.memory.write64(at + BigInt(i * 8), word);
    this.offset = (this.offset + ITS_CMD.bytes) % QUEUE_BYTES;
    this.its.setRegister("CWRITER", this.offset);
  }
}
