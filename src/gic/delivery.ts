// What became of one message: the LPI at its redistributor, or the exact reason why there is none.
import { getNarrow } from "../spec/abi.ts";
import { ITS_EVENT, ITS_STATUS } from "../spec/abi-its.ts";
import { LPI_CONFIG } from "../spec/its-table.ts";
import { getField } from "../spec/word.ts";

/** Names of ITS_STATUS, in the order of their numbers. */
export type ItsStatus =
  | "OK"
  | "DISABLED"
  | "DEVICE_OOR"
  | "DEVICE_L2_INVALID"
  | "DEVICE_FAULT"
  | "DEVICE_UNMAPPED"
  | "EVENT_OOR"
  | "ITT_FAULT"
  | "EVENT_UNMAPPED"
  | "EVENT_VIRTUAL"
  | "COLLECTION_OOR"
  | "COLLECTION_L2_INVALID"
  | "COLLECTION_FAULT"
  | "COLLECTION_UNMAPPED"
  | "RDBASE_OOR"
  | "LPIS_DISABLED"
  | "INTID_OOR"
  | "PENDING_FAULT"
  | "CONFIG_FAULT"
  | "LPI_DISABLED"
  | "ITTSIZE_OOR"
  | "COMMAND_FAULT"
  | "COMMAND_UNKNOWN"
  | "ALREADY_MAPPED"
  | "NO_MEMORY";

/** One message and its fate. Members that were not reached are undefined. */
export interface Delivery {
  readonly status: ItsStatus;
  /**
   * "delivered": pending and enabled at the redistributor. "pending": pending, but not enabled
   * there. "lost": nothing remembers the message.
   */
  readonly outcome: "delivered" | "pending" | "lost";
  /** The status in words. */
  readonly reason: string;
  readonly deviceId: number;
  readonly eventId: number;
  readonly lpi: number | undefined;
  readonly icid: number | undefined;
  /** Number of the target redistributor. */
  readonly rdbase: number | undefined;
  /** The LPI's configuration byte. */
  readonly config: number | undefined;
  /** Priority of the LPI: 0 (highest) to 252 in steps of 4. */
  readonly priority: number | undefined;
  readonly enabled: boolean | undefined;
  /** The LPI was pending already: the two messages are one interrupt. */
  readonly wasPending: boolean;
  /** KVM model: answered from the translation cache. */
  readonly cached: boolean;
  /** Loads of guest memory that it took. */
  readonly fetches: number;
}

/** Members that an ITS_EVENT record may leave out. */
type Optional = "deviceId" | "eventId" | "intid" | "icid" | "rdbase" | "config" | "index";

const ABSENT = 0xffffffff;

/** A member of an ITS_EVENT record, or undefined when it does not apply. */
export function eventMember(view: DataView, at: number, name: Optional): number | undefined {
  const value = getNarrow(ITS_EVENT, view, at, name);
  return value === ABSENT ? undefined : value;
}

/** The status of an ITS_EVENT record. */
export function eventStatus(view: DataView, at: number): ItsStatus {
  return ITS_STATUS.values[getNarrow(ITS_EVENT, view, at, "status")] as ItsStatus;
}

const NUMBERS = new Map(Object.entries(ITS_STATUS.values).map(([n, name]) => [name, Number(n)]));

/** A status in words. */
export const statusText = (status: ItsStatus): string =>
  ITS_STATUS.meanings[NUMBERS.get(status) ?? 0];

function outcomeOf(status: ItsStatus): Delivery["outcome"] {
  if (status === "OK") return "delivered";
  return status === "LPI_DISABLED" || status === "CONFIG_FAULT" ? "pending" : "lost";
}

/** Reads the record of a message at byte offset `at`. */
export function readDelivery(view: DataView, at: number): Delivery {
  const status = eventStatus(view, at);
  const config = eventMember(view, at, "config");
  const word = config === undefined ? undefined : [BigInt(config)];
  return {
    status,
    outcome: outcomeOf(status),
    reason: statusText(status),
    deviceId: getNarrow(ITS_EVENT, view, at, "deviceId"),
    eventId: getNarrow(ITS_EVENT, view, at, "eventId"),
    lpi: eventMember(view, at, "intid"),
    icid: eventMember(view, at, "icid"),
    rdbase: eventMember(view, at, "rdbase"),
    config,
    priority: word && Number(getField(LPI_CONFIG, word, "Priority")) * 4,
    enabled: word && getField(LPI_CONFIG, word, "Enable") === 1n,
    wasPending: getNarrow(ITS_EVENT, view, at, "wasPending") === 1,
    cached: getNarrow(ITS_EVENT, view, at, "cached") === 1,
    fetches: getNarrow(ITS_EVENT, view, at, "fetches"),
  };
}
