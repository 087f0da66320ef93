// Interrupt and global error registers of page 0 (IHI0070 6.3.16 to 6.3.23, 6.3.30 to 6.3.36).
import { MemAttr, SHAREABILITY } from "./encoding.ts";
import { address, bits, flag, register, res0 } from "./field.ts";

const ENABLES = {
  GERROR_IRQEN: flag(0, "Global errors interrupt."),
  PRIQ_IRQEN: flag(1, { meaning: "The PRI queue interrupts.", gate: "PRI" }),
  EVENTQ_IRQEN: flag(2, "The Event queue interrupts."),
  _31: res0(31, 3),
};

export const IRQ_CTRL = register("IRQ_CTRL", 0x0050, 32, "6.3.16", ENABLES, {
  meaning: "Interrupt enables; a change is done when IRQ_CTRLACK shows it.",
  reset: "0",
});

export const IRQ_CTRLACK = register("IRQ_CTRLACK", 0x0054, 32, "6.3.18", ENABLES, {
  meaning: "Which values of IRQ_CTRL are in force.",
  access: "RO",
  reset: "0",
});

const ERRORS = {
  CMDQ_ERR: flag(0, "A command failed; CMDQ_CONS.ERR says how. Commands stop until acknowledged."),
  _1: res0(1, 1),
  EVENTQ_ABT_ERR: flag(2, "A write to the Event queue was aborted; events are lost."),
  PRIQ_ABT_ERR: flag(3, {
    meaning: "A write to the PRI queue was aborted; page requests are refused.",
    gate: "PRI",
  }),
  MSI_CMDQ_ABT_ERR: flag(4, { meaning: "The MSI of a CMD_SYNC was aborted.", gate: "MSI" }),
  MSI_EVENTQ_ABT_ERR: flag(5, { meaning: "The MSI of the Event queue was aborted.", gate: "MSI" }),
  MSI_PRIQ_ABT_ERR: flag(6, { meaning: "The MSI of the PRI queue was aborted.", gate: "MSI, PRI" }),
  MSI_GERROR_ABT_ERR: flag(7, { meaning: "The MSI of GERROR was aborted.", gate: "MSI" }),
  SFM_ERR: flag(8, "The SMMU entered service failure mode."),
  CMDQP_ERR: flag(9, { meaning: "An Enhanced Command queue has an error.", gate: "ECMDQ" }),
  DPT_ERR: flag(10, { meaning: "The Device Permission Table walk failed.", gate: "DPT" }),
  _31: res0(31, 11),
};

export const GERROR = register("GERROR", 0x0060, 32, "6.3.19", ERRORS, {
  meaning: "Global errors: one is active while its bit differs from GERRORN's.",
  access: "RO",
  reset: "0",
});

export const GERRORN = register("GERRORN", 0x0064, 32, "6.3.20", ERRORS, {
  meaning: "Acknowledged global errors: software makes a bit equal to GERROR's.",
  reset: "0",
});

const ADDRESS = (gate: string) => ({
  _1: res0(1, 0),
  ADDR: address(55, 2, { meaning: "MSI address; 0 sends none.", gate }),
  _63: res0(63, 56),
});

const DATA = (gate: string) => ({
  DATA: bits(31, 0, undefined, { meaning: "The 32 bits that the MSI writes.", gate }),
});

const ATTRIBUTES = (gate: string) => ({
  MemAttr: bits(3, 0, MemAttr, { meaning: "Memory type of the MSI write.", gate }),
  SH: bits(5, 4, SHAREABILITY, { meaning: "Shareability of the MSI write.", gate }),
});

const about = (what: string, enable: string, gate: string) => ({
  meaning: what,
  reset: "UNKNOWN",
  guard: `IRQ_CTRL.${enable}=0 and IRQ_CTRLACK.${enable}=0`,
  gate,
});

const ofGerror = (what: string) => about(what, "GERROR_IRQEN", "MSI");
const ofEventq = (what: string) => about(what, "EVENTQ_IRQEN", "MSI");
const ofPriq = (what: string) => about(what, "PRIQ_IRQEN", "MSI, PRI");

export const GERROR_IRQ_CFG0 = register(
  "GERROR_IRQ_CFG0",
  0x0068,
  64,
  "6.3.21",
  ADDRESS("MSI"),
  ofGerror("Address of the GERROR MSI."),
);

export const GERROR_IRQ_CFG1 = register(
  "GERROR_IRQ_CFG1",
  0x0070,
  32,
  "6.3.22",
  DATA("MSI"),
  ofGerror("Data of the GERROR MSI."),
);

export const GERROR_IRQ_CFG2 = register(
  "GERROR_IRQ_CFG2",
  0x0074,
  32,
  "6.3.23",
  { ...ATTRIBUTES("MSI"), _31: res0(31, 6) },
  ofGerror("Attributes of the GERROR MSI."),
);

export const EVENTQ_IRQ_CFG0 = register(
  "EVENTQ_IRQ_CFG0",
  0x00b0,
  64,
  "6.3.30",
  ADDRESS("MSI"),
  ofEventq("Address of the Event queue MSI."),
);

export const EVENTQ_IRQ_CFG1 = register(
  "EVENTQ_IRQ_CFG1",
  0x00b8,
  32,
  "6.3.31",
  DATA("MSI"),
  ofEventq("Data of the Event queue MSI."),
);

export const EVENTQ_IRQ_CFG2 = register(
  "EVENTQ_IRQ_CFG2",
  0x00bc,
  32,
  "6.3.32",
  { ...ATTRIBUTES("MSI"), _31: res0(31, 6) },
  ofEventq("Attributes of the Event queue MSI."),
);

export const PRIQ_IRQ_CFG0 = register(
  "PRIQ_IRQ_CFG0",
  0x00d0,
  64,
  "6.3.34",
  ADDRESS("MSI, PRI"),
  ofPriq("Address of the PRI queue MSI."),
);

export const PRIQ_IRQ_CFG1 = register(
  "PRIQ_IRQ_CFG1",
  0x00d8,
  32,
  "6.3.35",
  DATA("MSI, PRI"),
  ofPriq("Data of the PRI queue MSI."),
);

export const PRIQ_IRQ_CFG2 = register(
  "PRIQ_IRQ_CFG2",
  0x00dc,
  32,
  "6.3.36",
  {
    ...ATTRIBUTES("MSI, PRI"),
    _30: res0(30, 6),
    LO: flag(31, {
      meaning: "Interrupt for the last request of a group (1), or when the queue fills (0).",
      gate: "PRI",
    }),
  },
  ofPriq("Attributes of the PRI queue MSI."),
);
