// Where QEMU's accelerated SMMUv3 differs from the architecture, one named switch each
// (ARCHITECTURE.md lists them).

const quirk = <const N extends string>(name: N, arch: string, qemu: string) => ({
  name,
  arch,
  qemu,
});

export const ACCEL_QUIRKS = [
  quirk(
    "LATER_DEVICES_ON_S2",
    "every device behind the vSMMU follows GBPA from the start",
    "only the device that created the vIOMMU; later ones reach all guest memory until a CFGI_STE",
  ),
  quirk(
    "SMMUEN_NO_REINSTALL",
    "SMMUEN moves every device between GBPA and its STE",
    "nothing is installed when SMMUEN changes",
  ),
  quirk(
    "GBPA_IGNORES_SMMUEN",
    "GBPA matters only while SMMUEN is 0",
    "a GBPA write moves every device at once, whatever SMMUEN is",
  ),
  quirk(
    "POINTER_55_52",
    "an STE whose context pointer is beyond the output size aborts with C_BAD_STE",
    "bits 55:52 are passed on, the kernel refuses them, and the command fails with CERROR_ILL",
  ),
  quirk(
    "NO_STE_KEEPS_OLD",
    "a stream without an STE aborts",
    "nothing is installed and the device keeps what it had",
  ),
  quirk(
    "STAGE2_CONFIG_FAILS",
    "an STE that asks for an absent stage 2 is illegal: its traffic aborts",
    "the command fails with CERROR_ILL and the device keeps what it had",
  ),
  quirk(
    "RESET_KEEPS_NESTED",
    "reset frees the nested page table of each device",
    "it lives on until the next STE replaces it",
  ),
  quirk(
    "SEQUENCE_WRAP",
    "the event sequence goes from 2^31-1 to 0 without a loss",
    "the wrap is reported as lost events",
  ),
] as const;

export type AccelQuirkName = (typeof ACCEL_QUIRKS)[number]["name"];

/** The switches in force: none for `arch`, all for `qemu`. */
export function accelQuirks(compat: "arch" | "qemu"): ReadonlySet<AccelQuirkName> {
  return new Set(compat === "arch" ? [] : ACCEL_QUIRKS.map((q) => q.name));
}
