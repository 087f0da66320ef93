// State of an ITS instance and the record of one delivery or command, shared with TypeScript (GICv3 ITS).
import { record } from "./abi.ts";
import { enumeration } from "./field.ts";

/** Switches of an ITS instance. */
export const ITS_FLAG = enumeration(
  "ITS_FLAG",
  { 1: "KVM", 2: "QUIRKS", 4: "SECURITY_DISABLED" },
  {
    1: "the in-kernel ITS of KVM: live state is private, guest tables only hold saved state",
    2: "QEMU's own behaviour where it differs from the architecture",
    4: "GICD_CTLR.DS: one security state; QEMU then lets software write GITS_CREADR",
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
    25: "NOT_TRANSLATER",
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
    25: "the write does not hit GITS_TRANSLATER",
  },
);

/** One delivery, or the outcome of one command; members that do not apply are all ones. */
export const ITS_EVENT = record("ITS_EVENT", {
  /** ITS_STATUS. */
  status: "u32",
  /** Architected error number E_ITS_*, or 0 when it has none. */
  error: "u32",
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
  /** Guest memory accesses that it took. */
  fetches: "u32",
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

/** State of one ITS. The outcomes of commands are a ring; `outcomes` counts all that were written. */
export const ITS = record("ITS", {
  typer: "u64",
  cbaser: "u64",
  cwriter: "u64",
  creadr: "u64",
  baser: ["u64", 8],
  /** Private tables of the KVM model (0: not the KVM model). */
  store: "u32",
  flags: "u32",
  ctlr: "u32",
  redists: "u32",
  outcomes: "u32",
  /** The last delivery, an ITS_EVENT. */
  result: ["u32", 12],
  _padding: "u32",
});
