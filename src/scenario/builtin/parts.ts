// Steps and addresses that the built-in scenarios share.
import type { Step } from "../types.ts";

/** An address of the guest's DMA, and guest-physical pages behind it. */
export const IOVA = "0xffff0000";
export const PAGE_A = "0x40100000";
export const PAGE_B = "0x40101000";
/** What Linux programs as the address of messages, and the page around it. */
export const MSI_IOVA = "0xfffff040";
export const MSI_PAGE = "0xfffff000";
/** Doorbells of the guest's ITS and of a GICv2m. */
export const ITS_DOORBELL = "0x8090040";
export const V2M_DOORBELL = "0x8020040";
/** EventID of the messages. */
export const EVENT = 5;

export const plugNvme: Step = { plug: { function: "nvme", at: "01.0", sid: 0x28 } };
export const plugNet: Step = { plug: { function: "net", at: "02.0", sid: 0x20 } };

/** A function that translates with a domain of its own. */
export const started: Step[] = [
  plugNvme,
  { start: "smmu" },
  {
    attach: { function: "nvme", domain: "dma" },
    expect: { installed: "translate", cerror: 0 },
  },
];

/** Both windows for messages, and the guest's ITS ready for them. */
export const messagesReady: Step[] = [
  { mapMsi: { domain: "dma", page: MSI_PAGE } },
  { start: "its" },
  { itsMap: { function: "nvme", event: EVENT } },
];

export const program: Step = {
  program: { function: "nvme", vector: 0, address: MSI_IOVA, data: EVENT },
};
export const enable: Step = { msix: { function: "nvme", state: "on" } };
export const raise: Step = { interrupt: { function: "nvme", vector: 0 } };
export const route: Step = { route: { function: "nvme", vector: 0 } };

/** The same step with an expectation. */
export const expecting = (step: Step, expect: Record<string, unknown>, note?: string): Step => ({
  ...step,
  ...(note === undefined ? {} : { note }),
  expect: { ...step.expect, ...expect },
});

/** A message that arrived as an LPI. */
export const delivered = expecting(raise, {
  reachedHost: true,
  path: "kvm",
  outcome: "delivered",
});

/** The claim of the direct doorbell: no page table and no CD was read. */
export const noTableReads: Step = { counters: {}, expect: { tables: 0, rcuDepth: 0 } };
