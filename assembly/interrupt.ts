// Interrupts and global errors: GERROR toggles, wired pulses and the SMMU's own MSIs (IHI0070 3.18,
// 7.5).

import { msiPresent, oasBits } from "./features";
import { ones } from "./geometry";
import { clearGuestFault, guestFault, store32 } from "./guest";
import {
  MSI_SOURCE_EVENTQ,
  MSI_SOURCE_GERROR,
  MSI_WRITE_BYTES,
  PENDING_CMD_SYNC,
  PENDING_EVENTQ,
  PENDING_GERROR,
  PENDING_MSI,
  PENDING_SEV,
  setMsiwriteAddress,
  setMsiwriteData,
  setMsiwriteSource,
} from "./layout/abi";
import {
  gerrorirqcfg0ADDR,
  irqctrlEVENTQ_IRQEN,
  irqctrlGERROR_IRQEN,
  REG_EVENTQ_IRQ_CFG0,
  REG_EVENTQ_IRQ_CFG1,
  REG_GERROR,
  REG_GERROR_IRQ_CFG0,
  REG_GERROR_IRQ_CFG1,
  REG_GERRORN,
  REG_IRQ_CTRL,
  withGerrorMSI_CMDQ_ABT_ERR,
  withGerrorMSI_EVENTQ_ABT_ERR,
  withGerrorMSI_GERROR_ABT_ERR,
} from "./layout/register";
import { reg32, reg64, setReg32 } from "./regfile";
import { MSI, MSI_CAPACITY } from "./state";

/** Edges since the owner last took them. */
let pendingWord: u32 = 0;
/** MSIs in the outbox. */
export let msiCount: u32 = 0;

/** Gives the pending edges and clears them. */
export function takePending(): u32 {
  const word = pendingWord;
  pendingWord = 0;
  return word;
}

export function resetInterrupts(): void {
  pendingWord = 0;
  msiCount = 0;
}

/** Empties the outbox after its owner delivered it. */
export function clearMsiOutbox(): void {
  msiCount = 0;
}

/** Raises a global error: its GERROR bit toggles only while inactive. True when it was new. */
export function raiseGlobalError(bit: u32): bool {
  const gerror = reg32(REG_GERROR);
  if ((gerror ^ reg32(REG_GERRORN)) & bit) return false;
  setReg32(REG_GERROR, gerror ^ bit);
  // An aborted GERROR MSI does not raise the interrupt again.
  if (bit != withGerrorMSI_GERROR_ABT_ERR(0, 1)) signalGlobalError();
  return true;
}

/** Whether a global error bit is active. */
export function globalErrorActive(bit: u32): bool {
  return ((reg32(REG_GERROR) ^ reg32(REG_GERRORN)) & bit) != 0;
}

/** Reports an MSI that nothing took: the error bit of its source. */
export function abortMsi(source: u32): void {
  if (source == MSI_SOURCE_EVENTQ) raiseGlobalError(withGerrorMSI_EVENTQ_ABT_ERR(0, 1));
  else if (source == MSI_SOURCE_GERROR) raiseGlobalError(withGerrorMSI_GERROR_ABT_ERR(0, 1));
  else raiseGlobalError(withGerrorMSI_CMDQ_ABT_ERR(0, 1));
}

/**
 * Writes an MSI. RAM takes it at once; any other address waits in the outbox for the owner of the
 * bus, who delivers it or calls `abortMsi`.
 */
export function sendMsi(address: u64, data: u32, source: u32): void {
  const pa = address & ones(oasBits);
  clearGuestFault();
  if (store32(pa, data)) return;
  if (guestFault) clearGuestFault();
  if (msiCount >= MSI_CAPACITY) {
    abortMsi(source);
    return;
  }
  const p = MSI + <usize>msiCount * MSI_WRITE_BYTES;
  setMsiwriteAddress(p, pa);
  setMsiwriteData(p, data);
  setMsiwriteSource(p, source);
  msiCount++;
  pendingWord |= PENDING_MSI;
}

function signal(pending: u32, cfg0: u64, data: u32, source: u32): void {
  const address = gerrorirqcfg0ADDR(cfg0);
  if (msiPresent && address != 0) sendMsi(address, data, source);
  else pendingWord |= pending;
}

/** The event queue's interrupt, if enabled. */
export function signalEventQueue(): void {
  if (!irqctrlEVENTQ_IRQEN(reg32(REG_IRQ_CTRL))) return;
  signal(PENDING_EVENTQ, reg64(REG_EVENTQ_IRQ_CFG0), reg32(REG_EVENTQ_IRQ_CFG1), MSI_SOURCE_EVENTQ);
}

/** The GERROR interrupt, if enabled. */
export function signalGlobalError(): void {
  if (!irqctrlGERROR_IRQEN(reg32(REG_IRQ_CTRL))) return;
  signal(PENDING_GERROR, reg64(REG_GERROR_IRQ_CFG0), reg32(REG_GERROR_IRQ_CFG1), MSI_SOURCE_GERROR);
}

/** The wired completion interrupt of CMD_SYNC. */
export function signalCommandSync(): void {
  pendingWord |= PENDING_CMD_SYNC;
}

/** A wake-up event (CMD_SYNC with CS=SEV). */
export function signalEvent(): void {
  pendingWord |= PENDING_SEV;
}
