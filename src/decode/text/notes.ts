// Lines of the Linux driver that say something about the set-up, and what each of them means.

/** A remark about a line: which rule matched and the numbers in it. */
export interface NoteFinding {
  readonly type: "note";
  readonly at: number;
  readonly id: string;
  readonly text: string;
  readonly meaning: string;
  /** Does the line report something broken? */
  readonly fault: boolean;
}

interface Rule {
  readonly id: string;
  readonly pattern: RegExp;
  readonly fault?: boolean;
  readonly meaning: string | ((m: RegExpExecArray) => string);
}

const OPTIONS: Readonly<Record<number, string>> = {
  0: "SKIP_PREFETCH",
  1: "PAGE0_REGS_ONLY",
  2: "MSIPOLL",
  3: "CMDQ_FORCE_SYNC",
  4: "TEGRA241_CMDQV",
};

function optionNames(mask: number): string {
  const names = Array.from({ length: 32 }, (_, bit) => bit)
    .filter((bit) => Math.floor(mask / 2 ** bit) % 2 === 1)
    .map((bit) => OPTIONS[bit] ?? `bit ${bit}`);
  return names.length === 0 ? "no workaround is active" : `active workarounds: ${names.join(", ")}`;
}

const RULES: readonly Rule[] = [
  {
    id: "service-failure",
    pattern: /device has entered Service Failure Mode/i,
    fault: true,
    meaning:
      "GERROR.SFM_ERR: the SMMU met an internal error and now terminates all traffic; " +
      "only a reset ends this",
  },
  {
    id: "msi-write-aborted",
    pattern: /\b(GERROR|PRIQ|EVTQ|CMDQ) MSI write aborted/i,
    fault: true,
    meaning: (m) =>
      `the SMMU could not deliver its own ${m[1]} interrupt: the address in the MSI ` +
      "registers is not a doorbell it can reach",
  },
  {
    id: "queue-write-aborted",
    pattern: /\b(PRIQ|EVTQ) write aborted/i,
    fault: true,
    meaning: (m) => `the ${m[1]} lies in memory the SMMU cannot write; records were lost`,
  },
  {
    id: "command-fetch-retried",
    pattern: /retrying command fetch/i,
    meaning: "CERROR_ABT: reading the command queue was aborted, and the driver tries again",
  },
  {
    id: "options",
    pattern: /\boption mask 0x([0-9a-f]{1,8})/i,
    meaning: (m) => optionNames(Number.parseInt(m[1], 16)),
  },
  {
    id: "queue-size",
    pattern: /allocated (\d{1,8}) entries for (cmdq|evtq|priq|vcmdq\d{0,3})/i,
    meaning: (m) => `${m[2]} has 2^${Math.log2(Number(m[1]))} entries`,
  },
  {
    id: "strtab-short",
    pattern: /2-level strtab only covers (\d{1,2})\/(\d{1,2}) bits of SID/i,
    meaning: (m) =>
      `StreamIDs of more than ${m[1]} bits are outside the stream table and give C_BAD_STREAMID`,
  },
  {
    id: "already-enabled",
    pattern: /SMMU currently enabled! Resetting/i,
    meaning:
      "firmware or an earlier kernel left the SMMU on; DMA that still runs is aborted " +
      "or faults from here on",
  },
  {
    id: "coherency-override",
    pattern: /IDR0\.COHACC overridden by (?:FW|dma-coherent)[^(]{0,40}\((true|false)\)/i,
    meaning: (m) =>
      `firmware says dma-coherent ${m[1]}, the hardware says the opposite; if ` +
      "firmware is wrong, table walks read stale memory",
  },
  {
    id: "no-interrupt",
    pattern: /no (evtq|priq|gerr) irq/i,
    fault: true,
    meaning: (m) =>
      `the ${m[1]} interrupt is missing in the firmware tables: ` +
      (m[1] === "evtq"
        ? "faults happen but are never printed"
        : "errors of this kind are never printed"),
  },
  {
    id: "wired-interrupts",
    pattern: /msi_domain absent/i,
    meaning:
      "the SMMU has no MSI parent, so its own interrupts are wired; devices are not concerned",
  },
  {
    id: "gbpa-stuck",
    pattern: /GBPA not responding to update/i,
    fault: true,
    meaning:
      "the SMMU did not acknowledge GBPA: its clock or power is off, or the base address is wrong",
  },
  {
    id: "unknown-endianness",
    pattern: /unknown\/unsupported TT endianness/i,
    fault: true,
    meaning: "IDR0.TTENDIAN has a value this kernel cannot use; the driver gives up",
  },
  {
    id: "no-translation",
    pattern: /no translation support!|AArch64 table format not supported!/i,
    fault: true,
    meaning:
      "IDR0 offers no stage or table format this kernel can use; the registers may " +
      "not be an SMMU's",
  },
  {
    id: "register-stuck",
    pattern: /failed to (?:enable|write|disable|clear) (?:SMMU interface|\w+ queue|CR0)/i,
    fault: true,
    meaning: "CR0ACK did not follow CR0: the SMMU is not clocked, or the address is not its own",
  },
  {
    id: "invalidation-policy",
    pattern: /DMA domain TLB invalidation policy: (\w{2,12}) mode/i,
    meaning: (m) =>
      m[1] === "lazy"
        ? "unmapped addresses stay usable until the next batch of invalidations"
        : "an unmapped address faults as soon as unmapping returns",
  },
  {
    id: "default-domain",
    pattern: /Default domain type: (\w{4,16})/i,
    meaning: (m) =>
      /pass/i.test(m[1])
        ? "devices bypass stage 1 unless told otherwise: MSIs and DMA use physical addresses"
        : "devices get their own address space: every DMA address must be mapped first",
  },
];

/** The remark about a line, or undefined. */
export function noteOf(line: string): NoteFinding | undefined {
  for (const rule of RULES) {
    const m = rule.pattern.exec(line);
    if (m === null) continue;
    const meaning = typeof rule.meaning === "string" ? rule.meaning : rule.meaning(m);
    const text = line.slice(m.index).trim();
    return { type: "note", at: m.index, id: rule.id, text, meaning, fault: rule.fault ?? false };
  }
  return undefined;
}

const BDF = String.raw`(?:[0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]`;
const GROUP = new RegExp(String.raw`\b(${BDF}|[\w.@-]{3,40}): Adding to iommu group (\d{1,6})`);

/** "pci 0000:01:00.0: Adding to iommu group 20". */
export function groupOf(line: string): { device: string; group: number } | undefined {
  const m = GROUP.exec(line);
  return m === null ? undefined : { device: m[1], group: Number(m[2]) };
}
