// Built-in scenarios about the machine: hot-plug, what may not be unplugged or migrated, the queue
// nobody traps.
import type { Scenario, Step } from "../types.ts";
import { IOVA, noTableReads, PAGE_A, PAGE_B, plugNet, plugNvme, started } from "./parts.ts";

export const hotPlug: Scenario = {
  name: "hot-plug",
  summary:
    "Later functions are compared with what the guest saw at start, never negotiated: one behind " +
    "an SMMU without range invalidation is refused, and nothing of it is left.",
  cases: [
    {
      name: "another SMMU of the host",
      steps: [
        ...started,
        {
          plug: {
            function: "late",
            at: "03.0",
            sid: 0x30,
            hostIdr: ["0xd44101b", "0x2730010", 0, "0x1014", 0, "0x74"],
          },
          expect: { refused: "range invalidation" },
        },
        {
          plug: {
            function: "smaller",
            at: "03.0",
            sid: 0x30,
            hostIdr: ["0xd44101b", "0x2730010", 0, "0x1414", 0, "0x72"],
          },
          expect: { refused: "IPAs of 40 bits" },
        },
        { ...plugNet, expect: { refused: null } },
      ],
    },
    {
      name: "functions that may not sit there",
      steps: [
        {
          plug: { function: "emulated", at: "01.0", sid: 0x28, driver: "virtio-net-pci" },
          expect: { refused: "an emulated function" },
        },
        {
          plug: { function: "legacy", at: "01.0", sid: 0x28, iommufd: false },
          expect: { refused: "needs an iommufd" },
        },
        { ...plugNvme, expect: { refused: null } },
      ],
    },
  ],
};

export const blockersScenario: Scenario = {
  name: "blockers",
  summary:
    "An accelerated guest cannot be migrated; the function that made a vIOMMU with a CMDQV " +
    "cannot be unplugged.",
  cases: [
    {
      name: "with a CMDQV",
      machine: { cmdqv: true },
      steps: [
        plugNvme,
        plugNet,
        { blockers: { function: "nvme" }, expect: { unplug: "the CMDQV is active" } },
        { blockers: { function: "net" }, expect: { unplug: null } },
        { unplug: { function: "nvme" }, expect: { refused: "the CMDQV is active" } },
        { unplug: { function: "net" }, expect: { refused: null } },
      ],
    },
    {
      name: "without one",
      steps: [
        plugNvme,
        plugNet,
        {
          blockers: { function: "nvme" },
          expect: { unplug: null, migration: "cannot be migrated" },
        },
        { unplug: { function: "nvme" }, expect: { refused: null } },
      ],
    },
  ],
};

const remapped: Step[] = [
  ...started,
  { map: { domain: "dma", iova: IOVA, gpa: PAGE_A } },
  { dma: { function: "nvme", iova: IOVA }, expect: { gpa: PAGE_A } },
  { map: { domain: "dma", iova: IOVA, gpa: PAGE_B } },
  {
    dma: { function: "nvme", iova: IOVA },
    expect: { gpa: PAGE_A },
    note: "not invalidated yet: the old page is allowed",
  },
];

export const untrappedVcmdq: Scenario = {
  name: "untrapped-vcmdq",
  summary:
    "A queue of the Tegra241 CMDQV takes the guest's TLBI from guest memory without a trap: no " +
    "software walk could be ordered against it.",
  cases: [
    {
      name: "invalidation",
      machine: { cmdqv: true },
      steps: [
        ...remapped,
        { vcmdq: [], note: "the queue is started by trapped writes" },
        {
          vcmdq: [
            { name: "CMD_TLBI_NH_VA", domain: "dma", iova: IOVA, fields: { "TLBI.Leaf": 1 } },
            { name: "CMD_SYNC" },
          ],
          expect: { consumed: 2, cerror: 0, traps: 0 },
        },
        { dma: { function: "nvme", iova: IOVA }, expect: { gpa: PAGE_B } },
        noTableReads,
      ],
    },
    {
      name: "a command that is not allowed there",
      machine: { cmdqv: true },
      steps: [
        ...remapped,
        {
          vcmdq: [{ name: "CMD_TLBI_NH_ALL" }],
          expect: { consumed: 0, cerror: 4 },
        },
        { dma: { function: "nvme", iova: IOVA }, expect: { gpa: PAGE_A } },
      ],
    },
  ],
};
