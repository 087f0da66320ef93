// The fault of the translation in progress: what happened, at which stage, with which addresses
// (IHI0070 7.3).

/** Event number, or 0 while there is none. */
export let faultType: u32 = 0;
/** Stage whose R/S2R bit decides whether the event is recorded; 0 records always. */
export let faultStage: u32 = 0;
/** EVENT.S2 and EVENT.CLASS. */
export let faultS2: bool = false;
export let faultClass: u32 = 0;
/** IPA for stage 2 faults, else 0. */
export let faultIpa: u64 = 0;
/** Address of the access that aborted, for F_*_FETCH and F_WALK_EABT. */
export let faultFetch: u64 = 0;
/** QEMU reports a fault met while it decodes the CD as a read, whatever the transaction is. */
export let faultAsRead: bool = false;

export function clearFault(): void {
  faultType = 0;
  faultStage = 0;
  faultS2 = false;
  faultClass = 0;
  faultIpa = 0;
  faultFetch = 0;
  faultAsRead = false;
}

/** A configuration error: recorded whatever the R bits say. */
export function raiseConfigFault(type: u32): u32 {
  clearFault();
  faultType = type;
  return type;
}

/** A failed fetch of an STE or CD. */
export function raiseFetchFault(type: u32, pa: u64): u32 {
  clearFault();
  faultType = type;
  faultFetch = pa;
  return type;
}

/** A translation-related fault at stage 1; CLASS is IN. */
export function raiseStage1Fault(type: u32, fetchClass: u32): u32 {
  clearFault();
  faultType = type;
  faultStage = 1;
  faultClass = fetchClass;
  return type;
}

/** A translation-related fault at stage 2 for an access of class `fetchClass`. */
export function raiseStage2Fault(type: u32, fetchClass: u32, ipa: u64): u32 {
  clearFault();
  faultType = type;
  faultStage = 2;
  faultS2 = true;
  faultClass = fetchClass;
  faultIpa = ipa;
  return type;
}

/** An external abort on a descriptor of `stage`: recorded always. */
export function raiseWalkAbort(type: u32, stage: u32, fetchClass: u32, pa: u64): u32 {
  clearFault();
  faultType = type;
  faultS2 = stage == 2;
  faultClass = fetchClass;
  faultFetch = pa;
  return type;
}

/** Changes how a fault that was just raised will be reported. */
export function reportFault(stage: u32, s2: bool, fetchClass: u32): void {
  faultStage = stage;
  faultS2 = s2;
  faultClass = fetchClass;
}

/** Marks the fault as met by a read. */
export function reportFaultAsRead(): void {
  faultAsRead = true;
}

/** Records the fault whatever the R bits say. */
export function reportFaultAlways(): void {
  faultStage = 0;
}

/** Replaces the reported IPA or fetch address. */
export function reportFaultAddress(ipa: u64): void {
  if (faultFetch) faultFetch = ipa;
  else faultIpa = ipa;
}
