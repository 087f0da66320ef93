// Secure registers that have the layout of a Non-secure register (IHI0070 6.3.56 to 6.3.94).
import { type RegisterOptions, registerLike } from "./field.ts";
import * as atos from "./register-atos.ts";
import * as control from "./register-control.ts";
import * as extra from "./register-extra.ts";
import * as id from "./register-id.ts";
import * as interrupt from "./register-interrupt.ts";
import * as queue from "./register-queue.ts";

const SECURE = "SECURE_IMPL";
const off = (enable: string): string => `S_CR0.${enable}=0 and S_CR0ACK.${enable}=0`;
const quiet = (enable: string): string => `S_IRQ_CTRL.${enable}=0 and S_IRQ_CTRLACK.${enable}=0`;

const TABLE: RegisterOptions = { gate: SECURE, guard: off("SMMUEN") };
const COMMANDS: RegisterOptions = { gate: SECURE, guard: off("CMDQEN") };
const EVENTS: RegisterOptions = { gate: SECURE, guard: off("EVENTQEN") };
const ERROR_MSI: RegisterOptions = { gate: "S_IDR0.MSI", guard: quiet("GERROR_IRQEN") };
const EVENT_MSI: RegisterOptions = { gate: "S_IDR0.MSI", guard: quiet("EVENTQ_IRQEN") };
const ECMDQ: RegisterOptions = { gate: "S_IDR0.ECMDQ" };
const ATOS: RegisterOptions = { gate: "ATOS, SECURE_IMPL" };
const VATOS: RegisterOptions = { gate: "VATOS, SEL2" };
const PAGE: RegisterOptions = { ...VATOS, frame: "S_VATOS" };

export const S_IDR4 = registerLike(id.IDR4, "S_IDR4", 0x8010, "6.3.56", { gate: SECURE });
export const S_IDR6 = registerLike(id.IDR6, "S_IDR6", 0x8190, "6.3.91", ECMDQ);

export const S_CR1 = registerLike(control.CR1, "S_CR1", 0x8028, "6.3.59", { gate: SECURE });
export const S_S2PII = registerLike(control.S2PII, "S_S2PII", 0x8030, "6.3.61", {
  gate: "SECURE_IMPL, S2PI",
});
export const S_AGBPA = registerLike(control.AGBPA, "S_AGBPA", 0x8048, "6.3.64", { gate: SECURE });

export const S_GERROR_IRQ_CFG0 = registerLike(
  interrupt.GERROR_IRQ_CFG0,
  "S_GERROR_IRQ_CFG0",
  0x8068,
  "6.3.69",
  ERROR_MSI,
);
export const S_GERROR_IRQ_CFG1 = registerLike(
  interrupt.GERROR_IRQ_CFG1,
  "S_GERROR_IRQ_CFG1",
  0x8070,
  "6.3.70",
  ERROR_MSI,
);
export const S_GERROR_IRQ_CFG2 = registerLike(
  interrupt.GERROR_IRQ_CFG2,
  "S_GERROR_IRQ_CFG2",
  0x8074,
  "6.3.71",
  ERROR_MSI,
);

export const S_STRTAB_BASE = registerLike(
  queue.STRTAB_BASE,
  "S_STRTAB_BASE",
  0x8080,
  "6.3.72",
  TABLE,
);
export const S_STRTAB_BASE_CFG = registerLike(
  queue.STRTAB_BASE_CFG,
  "S_STRTAB_BASE_CFG",
  0x8088,
  "6.3.73",
  TABLE,
);
export const S_CMDQ_BASE = registerLike(queue.CMDQ_BASE, "S_CMDQ_BASE", 0x8090, "6.3.74", COMMANDS);
export const S_CMDQ_PROD = registerLike(queue.CMDQ_PROD, "S_CMDQ_PROD", 0x8098, "6.3.75", {
  gate: SECURE,
});
export const S_CMDQ_CONS = registerLike(queue.CMDQ_CONS, "S_CMDQ_CONS", 0x809c, "6.3.76", COMMANDS);
export const S_EVENTQ_BASE = registerLike(
  queue.EVENTQ_BASE,
  "S_EVENTQ_BASE",
  0x80a0,
  "6.3.77",
  EVENTS,
);
/** In page 0, unlike the Non-secure one. */
export const S_EVENTQ_PROD = registerLike(
  queue.EVENTQ_PROD,
  "S_EVENTQ_PROD",
  0x80a8,
  "6.3.78",
  EVENTS,
);
/** In page 0, unlike the Non-secure one. */
export const S_EVENTQ_CONS = registerLike(queue.EVENTQ_CONS, "S_EVENTQ_CONS", 0x80ac, "6.3.79", {
  gate: SECURE,
});
export const S_EVENTQ_IRQ_CFG0 = registerLike(
  interrupt.EVENTQ_IRQ_CFG0,
  "S_EVENTQ_IRQ_CFG0",
  0x80b0,
  "6.3.80",
  EVENT_MSI,
);
export const S_EVENTQ_IRQ_CFG1 = registerLike(
  interrupt.EVENTQ_IRQ_CFG1,
  "S_EVENTQ_IRQ_CFG1",
  0x80b8,
  "6.3.81",
  EVENT_MSI,
);
export const S_EVENTQ_IRQ_CFG2 = registerLike(
  interrupt.EVENTQ_IRQ_CFG2,
  "S_EVENTQ_IRQ_CFG2",
  0x80bc,
  "6.3.82",
  EVENT_MSI,
);

export const S_GATOS_CTRL = registerLike(atos.GATOS_CTRL, "S_GATOS_CTRL", 0x8100, "6.3.83", ATOS);
export const S_VATOS_SEL = registerLike(atos.VATOS_SEL, "S_VATOS_SEL", 0x8180, "6.3.90", VATOS);
export const S_VATOS_CTRL = registerLike(atos.VATOS_CTRL, "S_VATOS_CTRL", 0x0a00, "6.2", PAGE);
export const S_VATOS_SID = registerLike(atos.VATOS_SID, "S_VATOS_SID", 0x0a08, "6.2", PAGE);
export const S_VATOS_ADDR = registerLike(atos.VATOS_ADDR, "S_VATOS_ADDR", 0x0a10, "6.2", PAGE);

export const S_CMDQ_CONTROL_PAGE_BASE = registerLike(
  extra.CMDQ_CONTROL_PAGE_BASE,
  "S_CMDQ_CONTROL_PAGE_BASE",
  0xc000,
  "6.3.92",
  ECMDQ,
);
export const S_CMDQ_CONTROL_PAGE_CFG = registerLike(
  extra.CMDQ_CONTROL_PAGE_CFG,
  "S_CMDQ_CONTROL_PAGE_CFG",
  0xc008,
  "6.3.93",
  ECMDQ,
);
export const S_CMDQ_CONTROL_PAGE_STATUS = registerLike(
  extra.CMDQ_CONTROL_PAGE_STATUS,
  "S_CMDQ_CONTROL_PAGE_STATUS",
  0xc00c,
  "6.3.94",
  ECMDQ,
);
