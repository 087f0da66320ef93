// State of an ITS instance, and the record of one delivery or command, shared with TypeScript.
import { record } from "./abi.ts";
import { address, bits, enumeration, flag, impdef, res0, struct } from "./field.ts";

/** Switches of an ITS instance. */
export const ITS_FLAG = enumeration(
  "ITS_FLAG",
  { 1: "KVM", 2: "SECURITY_DISABLED" },
  {
    1: "the in-kernel ITS of KVM: live state is private, guest tables only hold saved state",
    2: "GICD_CTLR.DS: one security state; QEMU then lets software write GITS_CREADR",
  },
);

/** Why a message or command had its effect, or none. The order is the order of the checks. */
export const ITS_STATUS = enumeration(
  "ITS_STATUS",
  {
    0: "OK",
    1: "DISABLED",
    2: "DEVICE_OOR",
    3: "DEVICE_L2_INVALID",
    4: "DEVICE_FAULT",
    5: "DEVICE_UNMAPPED",
    6: "EVENT_OOR",
    7: "ITT_FAULT",
    8: "EVENT_UNMAPPED",
    9: "EVENT_VIRTUAL",
    10: "COLLECTION_OOR",
    11: "COLLECTION_L2_INVALID",
    12: "COLLECTION_FAULT",
    13: "COLLECTION_UNMAPPED",
    14: "RDBASE_OOR",
    15: "LPIS_DISABLED",
    16: "INTID_OOR",
    17: "PENDING_FAULT",
    18: "CONFIG_FAULT",
    19: "LPI_DISABLED",
    20: "ITTSIZE_OOR",
    21: "COMMAND_FAULT",
    22: "COMMAND_UNKNOWN",
    23: "ALREADY_MAPPED",
    24: "NO_MEMORY",
  },
  {
    0: "done; a message is pending and enabled at its redistributor",
    1: "GITS_CTLR.Enabled is 0",
    2: "the DeviceID is beyond the device table",
    3: "the level 1 device table entry is not valid",
    4: "the device table cannot be read or written",
    5: "no MAPD for the DeviceID",
    6: "the EventID is beyond the device's range",
    7: "the interrupt translation table cannot be read or written",
    8: "no MAPTI or MAPI for the EventID",
    9: "the entry is for a virtual LPI, which this ITS does not have",
    10: "the ICID is beyond the collection table",
    11: "the level 1 collection table entry is not valid",
    12: "the collection table cannot be read or written",
    13: "no MAPC for the collection",
    14: "the collection's RDbase is not a redistributor",
    15: "GICR_CTLR.EnableLPIs is 0 at the target redistributor",
    16: "the INTID is no LPI that the redistributor has room for",
    17: "the pending table cannot be read or written",
    18: "pending, but the configuration byte cannot be read",
    19: "pending, but the configuration byte disables the LPI",
    20: "the MAPD size is beyond GITS_TYPER.ID_bits",
    21: "the command queue entry cannot be read",
    22: "no such command",
    23: "the EventID is mapped already: KVM leaves it as it is",
    24: "no room for another entry",
  },
);

/** One delivery, or the outcome of one command; members that do not apply are all ones. */
export const ITS_EVENT = record("ITS_EVENT", {
  /** ITS_STATUS. */
  status: "u32",
  deviceId: "u32",
  eventId: "u32",
  intid: "u32",
  icid: "u32",
  rdbase: "u32",
  /** Configuration byte of the LPI. */
  config: "u32",
  /** Command number; 0 for a message. */
  opcode: "u32",
  /** Entry of the command queue. */
  index: "u32",
  /** 1 when the LPI was pending already: the message merges with the earlier one. */
  wasPending: "u32",
  /** Loads of guest memory that it took. */
  fetches: "u32",
  /** 1 when the KVM model answered from its translation cache. */
  cached: "u32",
});

/** One message of a batch, and what became of it. */
export const ITS_MESSAGE = record("ITS_MESSAGE", {
  deviceId: "u32",
  eventId: "u32",
  /** ITS_STATUS. */
  status: "u32",
  /** The LPI; all ones when the message was lost before it had one. */
  intid: "u32",
});

/** The bits of GICR_CTLR that matter for LPIs. */
export const GICR_CTLR = struct("GICR_CTLR", 32, "12.11", {
  EnableLPIs: flag(0, "LPIs reach this processing element."),
  _31: impdef(31, 1, "Not modelled."),
});

/** The bits of GICR_TYPER that name a redistributor. */
export const GICR_TYPER = struct("GICR_TYPER", 64, "12.11", {
  PLPIS: flag(0, "Physical LPIs are supported."),
  _7: impdef(7, 1, "Not modelled."),
  Processor_Number: bits(23, 8, undefined, "Number that RDbase holds when GITS_TYPER.PTA is 0."),
  _63: impdef(63, 24, "Not modelled."),
});

/** What the ITS knows of one redistributor. */
export const REDIST = record("REDIST", {
  typer: "u64",
  propbaser: "u64",
  pendbaser: "u64",
  ctlr: "u32",
});

/** How many redistributors and how many command outcomes an instance holds. */
export const ITS_LIMIT = enumeration("ITS_LIMIT", { 512: "REDISTS", 256: "OUTCOMES" });

/**
 * State of one ITS. The outcomes of commands are a ring; `outcomes` counts all that were written.
 */
export const ITS = record("ITS", {
  quirks: "u64",
  typer: "u64",
  cbaser: "u64",
  cwriter: "u64",
  creadr: "u64",
  baser: ["u64", 8],
  /** Private tables of the KVM model; 0 in the other model. */
  store: "u32",
  flags: "u32",
  ctlr: "u32",
  redists: "u32",
  outcomes: "u32",
});

/**
 * Where the parts of an instance's block lie: its state, private copies, the last delivery, rings.
 */
export const ITS_BLOCK = record("ITS_BLOCK", {
  state: ["u64", ITS.bytes / 8],
  command: ["u64", 4],
  entry: ["u64", 2],
  result: ["u32", ITS_EVENT.bytes / 4],
  redists: ["u64", 512 * (REDIST.bytes / 8)],
  outcomes: ["u32", 256 * (ITS_EVENT.bytes / 4)],
});

/** A level 1 table entry as QEMU reads it: the page address is not masked to the page. */
export const QEMU_L1E = struct("QEMU_L1E", 64, "QEMU 11.1", {
  Address: address(50, 0, "Level 2 page."),
  _62: res0(62, 51),
  Valid: flag(63, "The level 2 page exists."),
});

/**
 * Heads of the private tables of the KVM model. Event numbers in links are index + 1; 0 ends a
 * list.
 */
export const KVM_STORE = record("KVM_STORE", {
  /** Cached translations of an earlier generation no longer count. */
  generation: "u32",
  /** How many events fit. */
  capacity: "u32",
  /** Events that were ever used; later ones are untouched. */
  used: "u32",
  /** First of the freed events. */
  free: "u32",
});

/** A mapped device; `eventBits` 0 marks one that is not. */
export const KVM_DEVICE = record("KVM_DEVICE", { itt: "u64", first: "u32", eventBits: "u32" });

/** A collection. An odd `generation` marks one that exists; `target` is all ones until MAPC. */
export const KVM_COLLECTION = record("KVM_COLLECTION", { target: "u32", generation: "u32" });

/** An LPI that at least one event maps to (`refs`). `target` is all ones while it has none. */
export const KVM_LPI = record("KVM_LPI", {
  refs: "u32",
  target: "u16",
  config: "u8",
  pending: "u8",
});

/** A mapped event. Its collection is gone when the generations differ. */
export const KVM_EVENT = record("KVM_EVENT", {
  deviceId: "u32",
  eventId: "u32",
  intid: "u32",
  icid: "u32",
  generation: "u32",
  next: "u32",
  cached: "u32",
  live: "u32",
});
