// What one ITS command did, and the architected error when it did nothing (IHI0069 5.3).
import { getNarrow } from "../spec/abi.ts";
import { ITS_EVENT } from "../spec/abi-its.ts";
import { E_ITS, ITS_CMD } from "../spec/its-command.ts";
import { eventMember, eventStatus, type ItsStatus, statusText } from "./delivery.ts";

/** The outcome of one command. Members that the command does not have are undefined. */
export interface CommandOutcome {
  /** Entry of the command queue. */
  readonly index: number;
  readonly opcode: number;
  /** "MAPD", "MAPTI", …; undefined for an opcode that is no command. */
  readonly name: string | undefined;
  readonly status: ItsStatus;
  readonly reason: string;
  /** Name of the architected error ("E_ITS_MAPD_DEVICE_OOR"), where the status has one. */
  readonly error: string | undefined;
  /** Its number (0x10801). */
  readonly errorCode: number | undefined;
  readonly deviceId: number | undefined;
  readonly eventId: number | undefined;
  readonly lpi: number | undefined;
  readonly icid: number | undefined;
  readonly rdbase: number | undefined;
  /** Loads of guest memory that it took. */
  readonly fetches: number;
}

/** Statuses of a lookup of (DeviceID, EventID) that end before a collection is known. */
const UNMAPPED_EVENT: readonly ItsStatus[] = [
  "DEVICE_OOR",
  "DEVICE_L2_INVALID",
  "DEVICE_UNMAPPED",
  "EVENT_OOR",
  "EVENT_UNMAPPED",
  "EVENT_VIRTUAL",
];
const COLLECTION_RANGE: readonly ItsStatus[] = ["COLLECTION_OOR", "COLLECTION_L2_INVALID"];
const UNMAPPED_COLLECTION: readonly ItsStatus[] = [
  ...COLLECTION_RANGE,
  "COLLECTION_UNMAPPED",
  "RDBASE_OOR",
];
const UNMAPPED = [...UNMAPPED_EVENT, ...UNMAPPED_COLLECTION];

type Rule = readonly [statuses: readonly ItsStatus[], error: string];

const MAPTI: readonly Rule[] = [
  [["DEVICE_OOR", "DEVICE_L2_INVALID", "DEVICE_UNMAPPED"], "MAPTI_UNMAPPED_DEVICE"],
  [["EVENT_OOR"], "MAPTI_ID_OOR"],
  [["INTID_OOR"], "MAPTI_PHYSICALID_OOR"],
  [COLLECTION_RANGE, "MAPC_COLLECTION_OOR"],
];

/** Error numbers that KVM and the architecture have for a command's statuses. */
const ERRORS: Readonly<Record<string, readonly Rule[]>> = {
  MAPD: [
    [["DEVICE_OOR", "DEVICE_L2_INVALID"], "MAPD_DEVICE_OOR"],
    [["ITTSIZE_OOR"], "MAPD_ITTSIZE_OOR"],
  ],
  MAPC: [
    [["RDBASE_OOR"], "MAPC_PROCNUM_OOR"],
    [COLLECTION_RANGE, "MAPC_COLLECTION_OOR"],
  ],
  MAPTI,
  MAPI: MAPTI,
  MOVI: [
    [UNMAPPED_EVENT, "MOVI_UNMAPPED_INTERRUPT"],
    [UNMAPPED_COLLECTION, "MOVI_UNMAPPED_COLLECTION"],
  ],
  MOVALL: [[["RDBASE_OOR"], "MOVALL_PROCNUM_OOR"]],
  DISCARD: [[UNMAPPED, "DISCARD_UNMAPPED_INTERRUPT"]],
  INT: [[UNMAPPED, "INT_UNMAPPED_INTERRUPT"]],
  CLEAR: [[UNMAPPED, "CLEAR_UNMAPPED_INTERRUPT"]],
  INV: [[UNMAPPED, "INV_UNMAPPED_INTERRUPT"]],
  INVALL: [[UNMAPPED_COLLECTION, "INVALL_UNMAPPED_COLLECTION"]],
};

const ERROR_NUMBERS = new Map(Object.entries(E_ITS.values).map(([n, name]) => [name, Number(n)]));

const errorOf = (name: string | undefined, status: ItsStatus): string | undefined => {
  const rules = name === undefined ? undefined : ERRORS[name];
  const error = rules?.find(([statuses]) => statuses.includes(status))?.[1];
  return error;
};

/** "MAPD" for opcode 8; undefined when it is no command. */
const commandName = (opcode: number): string | undefined =>
  ITS_CMD.caseOf(opcode)?.name.replace("ITS_", "");

/** Reads the record of a command at byte offset `at`. */
export function readOutcome(view: DataView, at: number): CommandOutcome {
  const status = eventStatus(view, at);
  const opcode = getNarrow(ITS_EVENT, view, at, "opcode");
  const name = commandName(opcode);
  const error = errorOf(name, status);
  return {
    index: getNarrow(ITS_EVENT, view, at, "index"),
    opcode,
    name,
    status,
    reason: statusText(status),
    error: error && `E_ITS_${error}`,
    errorCode: error === undefined ? undefined : ERROR_NUMBERS.get(error),
    deviceId: eventMember(view, at, "deviceId"),
    eventId: eventMember(view, at, "eventId"),
    lpi: eventMember(view, at, "intid"),
    icid: eventMember(view, at, "icid"),
    rdbase: eventMember(view, at, "rdbase"),
    fetches: getNarrow(ITS_EVENT, view, at, "fetches"),
  };
}
