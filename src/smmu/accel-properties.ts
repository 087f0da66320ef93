// Properties of an accelerated vSMMU: defaults, what the machine refuses, the ID registers they
// give (QEMU 11.1).
import { AIDR, IDR0, IDR1, IDR3, IDR5 } from "../spec/register-id.ts";
import { packFields } from "../spec/word.ts";
import { addressSize } from "./host-ste.ts";

export type OnOffAuto = "on" | "off" | "auto";

/** What a user may set on the device. */
export interface AccelProperties {
  readonly accel: boolean;
  readonly ats: OnOffAuto;
  readonly ril: OnOffAuto;
  readonly cmdqv: OnOffAuto;
  /** Output address bits: "auto", or 44 or 48. */
  readonly oas: "auto" | number;
  /** SubstreamID bits, 0 to 20. */
  readonly ssidsize: "auto" | number;
  readonly stage: "1" | "2" | "nested";
}

export const DEFAULT_PROPERTIES: AccelProperties = {
  accel: true,
  ats: "auto",
  ril: "auto",
  cmdqv: "auto",
  oas: "auto",
  ssidsize: "auto",
  stage: "1",
};

/** What the machine is, as far as the device depends on it. */
export interface AccelMachine {
  readonly kvmIrqchip: boolean;
  readonly bootsWithDeviceTree: boolean;
  /** A vfio-pci function was plugged before the machine was complete. */
  readonly coldPluggedVfio: boolean;
}

/** IDR1.CMDQS and EVENTQS of the model. */
const QUEUE_LOG2 = 19;
const SID_BITS = 16;
/** Output sizes a user may ask for. */
const OAS_CHOICES: readonly number[] = [44, 48];

/** The refusal that a value needs accel=on, if it does. */
function needsAccel(p: AccelProperties): string | undefined {
  if (p.ril === "off") return "ril=off needs accel=on";
  if (p.ats === "on") return "ats=on needs accel=on";
  if (p.cmdqv === "on") return "cmdqv=on needs accel=on";
  if (p.ssidsize !== "auto" && p.ssidsize > 0) return "an ssidsize above 0 needs accel=on";
  if (p.oas === 48) return "oas must be 44 bits when accel is off";
  return undefined;
}

/** Why the device cannot be created, or undefined. */
export function refuseProperties(p: AccelProperties, machine: AccelMachine): string | undefined {
  if (p.oas !== "auto" && !OAS_CHOICES.includes(p.oas))
    return "the model has an output size of auto, 44 or 48 bits only";
  if (p.ssidsize !== "auto" && (p.ssidsize < 0 || p.ssidsize > 20))
    return "ssidsize is auto or 0 to 20";
  if (!p.accel) return needsAccel(p);
  if (!machine.kvmIrqchip) return "accel=on needs KVM with an in-kernel interrupt controller";
  if (machine.bootsWithDeviceTree)
    return (
      "accel=on needs a guest that boots with ACPI: " +
      "a device tree cannot reserve the MSI window"
    );
  if (p.stage !== "1") return "accel=on offers stage 1 only";
  return undefined;
}

const isAuto = (p: AccelProperties): boolean =>
  [p.ats, p.ril, p.cmdqv, p.oas, p.ssidsize].includes("auto");

/**
 * Why the finished machine cannot start, or undefined. Properties left on auto take their value
 * from the first device; cmdqv=on with everything else explicit escapes the check.
 */
export function refuseMachineDone(p: AccelProperties, machine: AccelMachine): string | undefined {
  if (!p.accel || !isAuto(p) || machine.coldPluggedVfio) return undefined;
  return "auto properties of accel=on need at least one cold-plugged vfio-pci function";
}

/** Properties with every auto resolved. */
export interface ResolvedProperties {
  readonly ats: boolean;
  readonly ril: boolean;
  readonly cmdqv: boolean;
  readonly oas: number;
  readonly ssidsize: number;
}

/** What auto means before a host is known, and always with accel=off. */
export function defaultsOf(p: AccelProperties): ResolvedProperties {
  return {
    ats: p.ats === "on",
    ril: p.ril !== "off",
    cmdqv: p.cmdqv === "on",
    oas: p.oas === "auto" ? 44 : p.oas,
    ssidsize: p.ssidsize === "auto" ? 0 : p.ssidsize,
  };
}

/** ID registers that the guest reads. */
export interface GuestIdRegisters {
  readonly IDR0: number;
  readonly IDR1: number;
  readonly IDR2: number;
  readonly IDR3: number;
  readonly IDR4: number;
  readonly IDR5: number;
  readonly IIDR: number;
  readonly AIDR: number;
}

const word = (words: bigint[]): number => Number(words[0]);

/**
 * ID registers for resolved properties; `cmdqLog2` lowers CMDQS where a queue must fit into a page.
 */
export function guestIdRegisters(p: ResolvedProperties, cmdqLog2 = QUEUE_LOG2): GuestIdRegisters {
  return {
    IDR0: word(
      packFields(IDR0, {
        S1P: 1,
        TTF: 2,
        COHACC: 1,
        ATS: p.ats ? 1 : 0,
        ASID16: 1,
        VMID16: 1,
        TTENDIAN: 2,
        STALL_MODEL: 1,
        TERM_MODEL: 1,
        ST_LEVEL: 1,
      }),
    ),
    IDR1: word(
      packFields(IDR1, {
        SIDSIZE: SID_BITS,
        SSIDSIZE: p.ssidsize,
        EVENTQS: QUEUE_LOG2,
        CMDQS: Math.min(cmdqLog2, QUEUE_LOG2),
      }),
    ),
    IDR2: 0,
    IDR3: word(packFields(IDR3, { HAD: 1, RIL: p.ril ? 1 : 0, BBML: 2 })),
    IDR4: 0,
    IDR5: word(packFields(IDR5, { OAS: addressSize(p.oas), GRAN4K: 1, GRAN16K: 1, GRAN64K: 1 })),
    IIDR: 0,
    AIDR: word(packFields(AIDR, { ArchMinorRev: 1 })),
  };
}
