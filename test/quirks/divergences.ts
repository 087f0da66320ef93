// The table of known divergences, made from the quirk list: architecture, QEMU, Linux, our modes,
// test.
import { QUIRKS, type Quirk } from "../../src/spec/quirks.ts";

/** What our modes do where that is not simply "arch as the architecture, qemu as QEMU". */
const MODES: Readonly<Record<string, string>> = {
  ADDRESS_47: "both: 48 bits (52-bit addresses are not modelled)",
  S2AA64_ASSERT: "both: C_BAD_STE",
  RIL_SCALE5: "both: 5 bits (DS is not modelled)",
  NH_ALL_S1: "both: by VMID",
  IOTLB_256: "`arch`: the fast caches; `qemu`: 256 entries, flushed whole",
  DMA_SPLIT_4: "as named; it is the machine's bus that splits",
  CD_IPS_ASSERT: "both: IPS is capped at OAS",
};
const PLAIN = "as named";

/** Configurations of a guest on which QEMU 10.0 and 11.1 end by abort(). */
const ABORTS: readonly string[] = ["CD_IPS_ASSERT", "S2AA64_ASSERT"];

const cell = (text: string): string => text.replaceAll("|", "\\|").replace(/\s+/g, " ");

function row(quirk: Quirk, tests: ReadonlyMap<number, string>): string {
  const cells = [
    String(quirk.bit),
    `\`${quirk.name}\``,
    quirk.arch,
    ABORTS.includes(quirk.name) ? `**${quirk.qemu}**` : quirk.qemu,
    quirk.linux,
    MODES[quirk.name] ?? PLAIN,
    tests.get(quirk.bit) ?? "none: no program can tell",
  ];
  return `| ${cells.map(cell).join(" | ")} |`;
}

/**
 * The table as Markdown. `tests` says by quirk number which file shows it.
 * "As named" in the modes column: `arch` does what the architecture asks for, `qemu` what QEMU
 * does.
 */
export function divergenceTable(tests: ReadonlyMap<number, string>): string {
  const heads = ["#", "name", "architecture", "QEMU 11.1", "Linux 7.2", "our modes", "test"];
  return [
    `| ${heads.join(" | ")} |`,
    `|${heads.map(() => "---").join("|")}|`,
    ...QUIRKS.map((quirk) => row(quirk, tests)),
    "",
    "Two of them end QEMU 10.0 and 11.1 (a guest can only end its own machine): " +
      "a CD with IPS 6 or 7,",
    "and an STE that enables stage 2 with S2AA64=0. " +
      "`test/qemu/live.test.ts` shows both on a live QEMU.",
  ].join("\n");
}
