// Address translation operations, for all (GATOS) and for one VM (VATOS) (IHI0070 6.3.37 on, 9).
import { SHAREABILITY } from "./encoding.ts";
import { address, bits, flag, impdef, register, res0 } from "./field.ts";

const RUN = {
  RUN: flag(0, "Written as 1 to start, while SMMUEN is 1; 0 again when the result is there."),
  _31: res0(31, 1),
};

const WHO = {
  STREAMID: bits(31, 0, undefined, "StreamID of the translation."),
  SUBSTREAMID: bits(51, 32, undefined, {
    meaning: "SubstreamID of the translation.",
    gate: "SSIDSIZE!=0",
  }),
  SSID_VALID: flag(52, { meaning: "SUBSTREAMID is given.", gate: "SSIDSIZE!=0" }),
  _63: res0(63, 53),
};

const WHAT = {
  _5: res0(5, 0),
  HTTUI: flag(6, { meaning: "Descriptors are not updated.", gate: "HTTU" }),
  InD: flag(7, "Instruction (1) or data (0); ignored when RnW is 0."),
  RnW: flag(8, "Read (1) or write (0)."),
  PnU: flag(9, "Privileged (1) or unprivileged (0)."),
  TYPE: bits(
    11,
    10,
    { 1: "STAGE1", 2: "STAGE2", 3: "BOTH" },
    "Stages to translate by; 0 gives INV_REQ.",
  ),
  ADDR: address(63, 12, "Input address."),
};

const SUCCESS = {
  FAULT: flag(0, "0: the translation succeeded and this reading holds; 1: it faulted."),
  _7: res0(7, 1),
  SH: bits(9, 8, SHAREABILITY, "Shareability of the memory."),
  _10: res0(10, 10),
  Size: flag(11, "0: 4KB; 1: the lowest set bit N of ADDR gives a size of 2^(N+1) bytes."),
  ADDR: address(55, 12, "Output address."),
  ATTR: bits(63, 56, undefined, "Memory attributes, encoded as in MAIR."),
};

const FAILURE = {
  REASON: bits(2, 1, { 0: "S1", 1: "S2_CD", 2: "S2_TT", 3: "S2_IN" }, "What was accessed."),
  FAULTCODE: bits(
    11,
    4,
    { 253: "INTERNAL_ERR", 254: "INV_STAGE", 255: "INV_REQ" },
    "Event number of the fault, or why nothing was translated.",
  ),
  FADDR: address(55, 12, "IPA that stage 2 could not translate."),
  IMPDEF: impdef(63, 60),
};

const PAR = {
  access: "RO",
  reset: "UNKNOWN",
  alternative: FAILURE,
  cases: {
    FAULT: {
      value: 1,
      layout: ["FAULT", "REASON", res0(3, 3), "FAULTCODE", "FADDR", res0(59, 56), "IMPDEF"],
    },
  },
};

const IDLE = { reset: "UNKNOWN", guard: "RUN=0" };

export const GATOS_CTRL = register("GATOS_CTRL", 0x0100, 32, "6.3.37", RUN, {
  meaning: "Starts a translation.",
  reset: "0",
  guard: "RUN=0 and CR0.SMMUEN=1",
  gate: "ATOS",
});

export const GATOS_SID = register("GATOS_SID", 0x0108, 64, "6.3.38", WHO, {
  ...IDLE,
  meaning: "Stream of the translation.",
  gate: "ATOS",
});

export const GATOS_ADDR = register("GATOS_ADDR", 0x0110, 64, "6.3.39", WHAT, {
  ...IDLE,
  meaning: "Address and kind of access of the translation.",
  gate: "ATOS",
});

export const GATOS_PAR = register("GATOS_PAR", 0x0118, 64, "6.3.40", SUCCESS, {
  ...PAR,
  meaning: "Result of the translation.",
  gate: "ATOS",
});

export const VATOS_SEL = register(
  "VATOS_SEL",
  0x0180,
  32,
  "6.3.44",
  {
    VMID: bits(15, 0, undefined, "VMID whose streams the VATOS page may ask about."),
    _31: res0(31, 16),
  },
  { meaning: "Who may use the VATOS page.", reset: "UNKNOWN", guard: "RUN=0", gate: "VATOS" },
);

/** Of the VATOS page, whose place IDR2.BA_VATOS gives. */
export const VATOS_CTRL = register("VATOS_CTRL", 0x0a00, 32, "6.3.99", RUN, {
  frame: "VATOS",
  meaning: "Starts a translation by stage 1.",
  reset: "0",
  guard: "RUN=0 and CR0.SMMUEN=1",
  gate: "VATOS",
});

export const VATOS_SID = register("VATOS_SID", 0x0a08, 64, "6.3.100", WHO, {
  frame: "VATOS",
  ...IDLE,
  meaning: "Stream of the translation.",
  gate: "VATOS",
});

export const VATOS_ADDR = register("VATOS_ADDR", 0x0a10, 64, "6.3.101", WHAT, {
  frame: "VATOS",
  ...IDLE,
  meaning: "Address and kind of access of the translation.",
  gate: "VATOS",
});

export const VATOS_PAR = register("VATOS_PAR", 0x0a18, 64, "6.3.102", SUCCESS, {
  frame: "VATOS",
  ...PAR,
  meaning: "Result of the translation.",
  gate: "VATOS",
});
