// Built-in scenarios about STEs: what the host installs, and what a VMM that reads them may meet.
import type { Scenario, ScenarioMachine, Step } from "../types.ts";
import {
  enable,
  expecting,
  IOVA,
  messagesReady,
  noTableReads,
  PAGE_A,
  plugNet,
  plugNvme,
  program,
  raise,
  started,
} from "./parts.ts";

/** A host with SubstreamIDs of 16 bits. */
const SUBSTREAMS = { hostIdr: ["0xd44101b", "0x2730410", 0, "0x1414", 0, "0x74"] };

/**
 * Stage 1 that SubstreamID 0 goes around: V, Config 5, S1CDMax 4, S1DSS 1; the CD table is empty.
 */
const passthroughSte: Step = {
  ste: { function: "nvme", words: ["0x200000004070000b", "0xd5"] },
};
const installSte: Step = { command: { name: "CMD_CFGI_STE", function: "nvme" } };

const passthrough: Step[] = [
  plugNvme,
  { start: "smmu" },
  passthroughSte,
  expecting(installSte, { cerror: 0, installed: "translate" }),
  {
    dma: { function: "nvme", iova: PAGE_A, write: true },
    expect: { status: "ok", gpa: PAGE_A },
    note: "the device itself goes around stage 1",
  },
  program,
];

export const passthroughWalk: Scenario = {
  name: "passthrough-walk",
  summary:
    "A guest lets SubstreamID 0 bypass stage 1 (S1DSS): a VMM that walks reads CD 0 all the " +
    "same, raises C_BAD_CD in the guest and loses the route.",
  cases: [
    {
      name: "walk",
      machine: { ...SUBSTREAMS, compat: "qemu", doorbell: "walk" },
      steps: [
        ...passthrough,
        expecting(enable, { branch: "walk", failure: "C_BAD_CD" }),
        { events: {}, expect: { events: ["C_BAD_CD sid 0x8"] } },
      ],
    },
    {
      name: "direct",
      machine: { ...SUBSTREAMS, compat: "qemu" },
      steps: [
        ...passthrough,
        expecting(enable, { branch: "direct" }),
        { events: {}, expect: { events: [] } },
        noTableReads,
      ],
    },
  ],
};

/** The guest is in the middle of a new STE: word 0 is new, its CD is not written yet. */
const torn: Step = { ste: { function: "nvme", words: ["0x4090000b"] } };

const tornMiddle: Step[] = [
  ...started,
  ...messagesReady,
  { map: { domain: "dma", iova: IOVA, gpa: PAGE_A } },
  torn,
  {
    dma: { function: "nvme", iova: IOVA },
    expect: { status: "ok", gpa: PAGE_A },
    note: "the device still has the STE that was installed",
  },
  program,
];

export const tornSte: Scenario = {
  name: "torn-ste",
  summary:
    "A route is made while the guest is in the middle of rewriting the STE: a walk sees a " +
    "mixture and raises an event that hardware never would.",
  cases: [
    {
      name: "walk",
      machine: { doorbell: "walk" },
      steps: [
        ...tornMiddle,
        expecting(enable, { branch: "walk", failure: "C_BAD_CD", commits: 0 }),
        { events: {}, expect: { events: ["C_BAD_CD sid 0x8"] } },
      ],
    },
    {
      name: "direct",
      steps: [
        ...tornMiddle,
        expecting(enable, { branch: "direct" }),
        expecting(raise, { outcome: "delivered" }),
        { events: {}, expect: { events: [] } },
        noTableReads,
      ],
    },
  ],
};

/** GBPA.ABORT with the bit that makes the write count. */
const ABORT_ALL = "0x80100000";

const secondDevice = (machine: ScenarioMachine, status: Record<string, unknown>) => ({
  machine,
  steps: [
    plugNvme,
    { register: { name: "GBPA", value: ABORT_ALL } },
    plugNet,
    {
      dma: { function: "nvme", iova: PAGE_A, write: true },
      expect: { status: "abort" },
    },
    { dma: { function: "net", iova: PAGE_A, write: true }, expect: status },
    { start: "smmu" as const },
    { attach: { function: "net", domain: "net" }, expect: { installed: "translate" } },
    {
      dma: { function: "net", iova: PAGE_A, write: true },
      expect: { status: "event", event: "F_TRANSLATION" },
      note: "its own STE ends it",
    },
  ],
});

export const secondDeviceOnS2: Scenario = {
  name: "second-device",
  summary:
    "Only the function that made the vIOMMU follows GBPA; a later one stays on the plain stage 2 " +
    "and reaches all guest memory until its first CFGI_STE.",
  cases: [
    { name: "qemu", ...secondDevice({ compat: "qemu" }, { status: "ok", gpa: PAGE_A }) },
    { name: "arch", ...secondDevice({ compat: "arch" }, { status: "abort" }) },
  ],
};

const gbpaWrite = (status: Record<string, unknown>): Step[] => [
  ...started,
  { map: { domain: "dma", iova: IOVA, gpa: PAGE_A } },
  { dma: { function: "nvme", iova: IOVA }, expect: { status: "ok", gpa: PAGE_A, stage: 3 } },
  { register: { name: "GBPA", value: ABORT_ALL }, note: "while SMMUEN is 1" },
  { dma: { function: "nvme", iova: IOVA }, expect: status },
];

export const gbpaWhileEnabled: Scenario = {
  name: "gbpa-while-enabled",
  summary:
    "A write to GBPA while SMMUEN is 1 takes the tables away from live functions until the next " +
    "CFGI_STE.",
  cases: [
    {
      name: "qemu",
      machine: { compat: "qemu" },
      steps: [
        ...gbpaWrite({ status: "abort" }),
        expecting(installSte, { installed: "translate" }),
        { dma: { function: "nvme", iova: IOVA }, expect: { status: "ok", gpa: PAGE_A } },
      ],
    },
    {
      name: "arch",
      machine: { compat: "arch" },
      steps: gbpaWrite({ status: "ok", gpa: PAGE_A, stage: 3 }),
    },
  ],
};
