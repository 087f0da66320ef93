// Command queue entries of the GICv3 ITS and its error codes (IHI0069 5.3, 5.4).
import { address, bits, enumeration, flag, res0, union } from "./field.ts";

const V4 = { gate: "GICv4" };
const V41 = { gate: "GICv4.1" };

const SHARED = {
  Opcode: bits(7, 0, undefined, "Number of the command."),
  "VMAPP.Alloc": flag(8, { ...V41, meaning: "First or last mapping of the vPE." }),
  "VSGI.Enable": flag(8, { ...V41, meaning: "The virtual SGI is enabled." }),
  "VMAPP.PTZ": flag(9, { ...V41, meaning: "The virtual pending table is zero." }),
  "VSGI.Clear": flag(9, { ...V41, meaning: "Clear the pending state instead." }),
  "VSGI.Group": flag(10, { ...V41, meaning: "Group of the virtual SGI." }),
  "VSGI.Priority": bits(23, 20, undefined, { ...V41, meaning: "Priority bits [7:4]." }),
  "VMAPP.VConf_addr": address(51, 16, { ...V41, meaning: "Virtual configuration table." }),
  "VSGI.SGI_INTID": bits(35, 32, undefined, { ...V41, meaning: "Number of the virtual SGI." }),
  "VMOVP.SequenceNumber": bits(47, 32, undefined, {
    gate: "GICv4, GITS_TYPER.VMOVP=0",
    meaning: "Ties the VMOVP commands of all ITSs together.",
  }),
  DeviceID: bits(63, 32, undefined, "Device that the command is about."),
  "MAPD.Size": bits(68, 64, undefined, "EventID bits of the device, minus 1."),
  "VMOVP.ITSList": bits(79, 64, undefined, {
    gate: "GICv4, GITS_TYPER.VMOVP=0",
    meaning: "One bit for each ITS that gets the command.",
  }),
  EventID: bits(95, 64, undefined, "Event of the device that the command is about."),
  "VMAPP.DefaultDoorbell": bits(95, 64, undefined, {
    ...V41,
    meaning: "LPI to send when the vPE is not running.",
  }),
  VPEID: bits(111, 96, undefined, { ...V4, meaning: "Virtual PE." }),
  pINTID: bits(127, 96, undefined, "LPI that the event becomes."),
  "VMOVI.D": flag(128, { ...V4, meaning: "Doorbell is given." }),
  ICID: bits(143, 128, undefined, "Collection."),
  vINTID: bits(159, 128, undefined, { ...V4, meaning: "Virtual LPI that the event becomes." }),
  "MAPD.ITT_addr": address(179, 136, "Base of the interrupt translation table of the device."),
  RDbase: bits(179, 144, undefined, "Redistributor: a processor number, or address [51:16]."),
  "VMAPP.RDbase": bits(179, 144, undefined, { ...V4, meaning: "Redistributor of the vPE." }),
  Doorbell: bits(191, 160, undefined, {
    ...V4,
    meaning: "LPI to send when the vPE is not running.",
  }),
  V: flag(191, "1 maps, 0 removes the mapping."),
  "VMOVP.DB": flag(191, { ...V41, meaning: "DefaultDoorbell is given." }),
  "VMOVP.DefaultDoorbell": bits(223, 192, undefined, {
    ...V41,
    meaning: "LPI to send when the vPE is not running.",
  }),
  "VMAPP.VPT_size": bits(199, 192, undefined, { ...V4, meaning: "vINTID bits, minus 1." }),
  "MOVALL.RDbase2": bits(243, 208, undefined, "Redistributor that gets the LPIs."),
  "VMAPP.VPT_addr": address(243, 208, { ...V4, meaning: "Virtual pending table." }),
} as const;

const DEVICE = ["Opcode", res0(31, 8), "DeviceID"] as const;
const EVENT_ONLY = [...DEVICE, "EventID", res0(255, 96)] as const;
const HEAD = ["Opcode", res0(127, 8)] as const;
const VPE_ONLY = ["Opcode", res0(95, 8), "VPEID", res0(255, 112)] as const;

/** One 32-byte ITS command; `cases` lists each opcode with exactly the fields that exist in it. */
export const ITS_CMD = union(
  "ITS_CMD",
  256,
  "5.3",
  SHARED,
  {
    ITS_MOVI: {
      value: 0x01,
      meaning: "Move the event, and its pending state, to another collection.",
      layout: [...DEVICE, "EventID", res0(127, 96), "ICID", res0(255, 144)],
    },
    ITS_INT: { value: 0x03, meaning: "Make the event pending.", layout: EVENT_ONLY },
    ITS_CLEAR: {
      value: 0x04,
      meaning: "Clear the pending state of the event.",
      layout: EVENT_ONLY,
    },
    ITS_SYNC: {
      value: 0x05,
      meaning: "Wait until earlier commands have taken effect at a redistributor.",
      layout: [...HEAD, res0(143, 128), "RDbase", res0(255, 180)],
    },
    ITS_MAPD: {
      value: 0x08,
      meaning: "Give a device its interrupt translation table, or take it away.",
      layout: [
        ...DEVICE,
        "MAPD.Size",
        res0(135, 69),
        "MAPD.ITT_addr",
        res0(190, 180),
        "V",
        res0(255, 192),
      ],
    },
    ITS_MAPC: {
      value: 0x09,
      meaning: "Send a collection to a redistributor, or remove it.",
      layout: [...HEAD, "ICID", "RDbase", res0(190, 180), "V", res0(255, 192)],
    },
    ITS_MAPTI: {
      value: 0x0a,
      meaning: "Map an event of a device to an LPI in a collection.",
      layout: [...DEVICE, "EventID", "pINTID", "ICID", res0(255, 144)],
    },
    ITS_MAPI: {
      value: 0x0b,
      meaning: "Map an event of a device to the LPI of the same number.",
      layout: [...DEVICE, "EventID", res0(127, 96), "ICID", res0(255, 144)],
    },
    ITS_INV: {
      value: 0x0c,
      meaning: "Read the LPI configuration of the event again.",
      layout: EVENT_ONLY,
    },
    ITS_INVALL: {
      value: 0x0d,
      meaning: "Read the LPI configuration of a whole collection again.",
      layout: [...HEAD, "ICID", res0(255, 144)],
    },
    ITS_MOVALL: {
      value: 0x0e,
      meaning: "Move all pending LPIs of one redistributor to another.",
      layout: [...HEAD, res0(143, 128), "RDbase", res0(207, 180), "MOVALL.RDbase2", res0(255, 244)],
    },
    ITS_DISCARD: {
      value: 0x0f,
      meaning: "Remove the mapping of the event and its pending state.",
      layout: EVENT_ONLY,
    },
    ITS_VMOVI: {
      value: 0x21,
      gate: "GICv4",
      meaning: "Move a virtual event to another vPE.",
      layout: [
        ...DEVICE,
        "EventID",
        "VPEID",
        res0(127, 112),
        "VMOVI.D",
        res0(159, 129),
        "Doorbell",
        res0(255, 192),
      ],
    },
    ITS_VMOVP: {
      value: 0x22,
      gate: "GICv4",
      meaning: "Move a vPE to another redistributor.",
      layout: [
        "Opcode",
        res0(31, 8),
        "VMOVP.SequenceNumber",
        res0(63, 48),
        "VMOVP.ITSList",
        res0(95, 80),
        "VPEID",
        res0(143, 112),
        "RDbase",
        res0(190, 180),
        "VMOVP.DB",
        "VMOVP.DefaultDoorbell",
        res0(255, 224),
      ],
    },
    ITS_VSGI: {
      value: 0x23,
      gate: "GICv4.1",
      meaning: "Configure a virtual SGI of a vPE.",
      layout: [
        "Opcode",
        "VSGI.Enable",
        "VSGI.Clear",
        "VSGI.Group",
        res0(19, 11),
        "VSGI.Priority",
        res0(31, 24),
        "VSGI.SGI_INTID",
        res0(95, 36),
        "VPEID",
        res0(255, 112),
      ],
    },
    ITS_VSYNC: {
      value: 0x25,
      gate: "GICv4",
      meaning: "Wait until earlier commands have taken effect for a vPE.",
      layout: VPE_ONLY,
    },
    ITS_VMAPP: {
      value: 0x29,
      gate: "GICv4",
      meaning: "Map or unmap a vPE.",
      layout: [
        "Opcode",
        "VMAPP.Alloc",
        "VMAPP.PTZ",
        res0(15, 10),
        "VMAPP.VConf_addr",
        res0(63, 52),
        "VMAPP.DefaultDoorbell",
        "VPEID",
        res0(143, 112),
        "VMAPP.RDbase",
        res0(190, 180),
        "V",
        "VMAPP.VPT_size",
        res0(207, 200),
        "VMAPP.VPT_addr",
        res0(255, 244),
      ],
    },
    ITS_VMAPTI: {
      value: 0x2a,
      gate: "GICv4",
      meaning: "Map an event of a device to a virtual LPI.",
      layout: [...DEVICE, "EventID", "VPEID", res0(127, 112), "vINTID", "Doorbell", res0(255, 192)],
    },
    ITS_VMAPI: {
      value: 0x2b,
      gate: "GICv4",
      meaning: "Map an event of a device to the virtual LPI of the same number.",
      layout: [
        ...DEVICE,
        "EventID",
        "VPEID",
        res0(127, 112),
        res0(159, 128),
        "Doorbell",
        res0(255, 192),
      ],
    },
    ITS_VINVALL: {
      value: 0x2d,
      gate: "GICv4",
      meaning: "Read the LPI configuration of a vPE again.",
      layout: VPE_ONLY,
    },
    ITS_INVDB: {
      value: 0x2e,
      gate: "GICv4.1",
      meaning: "Read the configuration of the default doorbell of a vPE again.",
      layout: VPE_ONLY,
    },
  },
  { meaning: "A command of the ITS: 32 bytes, opcode in the low byte." },
);

/** Command error codes that KVM uses, as the architecture numbers them. */
export const E_ITS = enumeration("E_ITS", {
  65799: "MOVI_UNMAPPED_INTERRUPT",
  65801: "MOVI_UNMAPPED_COLLECTION",
  66311: "INT_UNMAPPED_INTERRUPT",
  66823: "CLEAR_UNMAPPED_INTERRUPT",
  67585: "MAPD_DEVICE_OOR",
  67586: "MAPD_ITTSIZE_OOR",
  67842: "MAPC_PROCNUM_OOR",
  67843: "MAPC_COLLECTION_OOR",
  68100: "MAPTI_UNMAPPED_DEVICE",
  68101: "MAPTI_ID_OOR",
  68102: "MAPTI_PHYSICALID_OOR",
  68615: "INV_UNMAPPED_INTERRUPT",
  68873: "INVALL_UNMAPPED_COLLECTION",
  69121: "MOVALL_PROCNUM_OOR",
  69383: "DISCARD_UNMAPPED_INTERRUPT",
});
