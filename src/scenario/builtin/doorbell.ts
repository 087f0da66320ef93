// Built-in scenarios about the doorbell: where it comes from, and what goes wrong when a part is
// missing.
import type { Scenario, Step } from "../types.ts";
import {
  delivered,
  EVENT,
  enable,
  expecting,
  IOVA,
  ITS_DOORBELL,
  MSI_IOVA,
  MSI_PAGE,
  messagesReady,
  noTableReads,
  PAGE_A,
  program,
  raise,
  route,
  started,
  V2M_DOORBELL,
} from "./parts.ts";

const toRoute: Step[] = [...started, ...messagesReady, program];

const fixed = [
  expecting(enable, { branch: "direct", doorbell: ITS_DOORBELL, commits: 1 }),
  delivered,
];

const unfixed = [
  expecting(enable, { branch: "global", doorbell: MSI_IOVA, commits: 1 }),
  expecting(route, { address: MSI_IOVA }, "the route carries the guest's IOVA"),
  expecting(
    raise,
    { reachedHost: true, path: "kvm", outcome: "lost", reason: "NOT_AN_ITS" },
    "KVM drops the message without a word",
  ),
];

export const doorbellAfterReturn: Scenario = {
  name: "doorbell-after-return",
  summary:
    "The doorbell is asked for only after the return for the global address space, which the " +
    "functions see: routes stay unfixed and every interrupt is lost.",
  cases: [
    {
      name: "asked after the return, functions see the global memory",
      machine: { space: "global", doorbellFirst: false },
      steps: [...toRoute, ...unfixed],
    },
    {
      name: "asked before the return",
      machine: { space: "global", doorbellFirst: true },
      steps: [...toRoute, ...fixed],
    },
  ],
};

export const noSharedSpace: Scenario = {
  name: "no-shared-space",
  summary:
    "The vSMMU names its doorbell, but its functions see the global memory object instead of an " +
    "alias of it: the fix-up takes them for functions without an IOMMU.",
  cases: [
    {
      name: "the global memory",
      machine: { space: "global" },
      steps: [...toRoute, ...unfixed],
    },
    {
      name: "an alias of it, shared by all accelerated vSMMUs",
      machine: { space: "shared" },
      steps: [...toRoute, ...fixed, noTableReads],
    },
  ],
};

export const hostileMsi: Scenario = {
  name: "hostile-msi",
  summary:
    "The guest programs a message address that it never mapped: a walk refuses the route and " +
    "hardware would fault, the direct doorbell delivers. This check is what the design gives up.",
  cases: [
    {
      name: "direct",
      steps: [
        ...started,
        { mapMsi: { domain: "dma" }, note: "only the window for physical messages" },
        { start: "its" },
        { itsMap: { function: "nvme", event: EVENT } },
        program,
        ...fixed,
        {
          vmmWalk: { function: "nvme", iova: MSI_IOVA },
          expect: { gpa: null, event: "F_TRANSLATION" },
          note: "what the device would have met had it sent the guest's message itself",
        },
      ],
    },
    {
      name: "walk",
      machine: { doorbell: "walk" },
      steps: [
        ...started,
        { mapMsi: { domain: "dma" } },
        program,
        expecting(enable, { branch: "walk", failure: "F_TRANSLATION", commits: 0 }),
        expecting(route, { gsi: null }),
        { events: {}, expect: { events: ["F_TRANSLATION sid 0x8"] } },
      ],
    },
  ],
};

const remap: Step[] = [
  { unmap: { domain: "dma", iova: MSI_PAGE } },
  { map: { domain: "dma", iova: MSI_PAGE, gpa: ITS_DOORBELL.replace("040", "000") } },
];

const wrongPageFirst: Step[] = [
  ...started,
  { mapMsi: { domain: "dma" } },
  { map: { domain: "dma", iova: MSI_PAGE, gpa: PAGE_A } },
  { start: "its" },
  { itsMap: { function: "nvme", event: EVENT } },
  program,
];

export const msiRemap: Scenario = {
  name: "msi-remap",
  summary:
    "The guest maps its message address elsewhere after the route was made: a route from a walk " +
    "stays as it was, one from the doorbell was never wrong.",
  cases: [
    {
      name: "walk",
      machine: { doorbell: "walk" },
      steps: [
        ...wrongPageFirst,
        expecting(enable, { branch: "walk", doorbell: "0x40100040" }),
        ...remap,
        {
          vmmWalk: { function: "nvme", iova: MSI_IOVA },
          expect: { gpa: ITS_DOORBELL },
          note: "a new walk would find the doorbell, but nothing starts one",
        },
        expecting(route, { address: "0x40100040" }),
        expecting(raise, { outcome: "lost", reason: "NOT_AN_ITS" }),
      ],
    },
    {
      name: "direct",
      steps: [...wrongPageFirst, ...fixed, ...remap, delivered, noTableReads],
    },
  ],
};

export const msiGpaIts: Scenario = {
  name: "msi-gpa-its",
  summary: "A machine with an ITS sets msi-gpa to its GITS_TRANSLATER.",
  cases: [
    {
      name: "ITS",
      steps: [...toRoute, ...fixed, expecting(route, { address: ITS_DOORBELL, data: EVENT })],
    },
  ],
};

export const msiGpaV2m: Scenario = {
  name: "msi-gpa-gicv2m",
  summary:
    "A machine with a GICv2m sets msi-gpa to its SETSPI register, and KVM needs no route: the " +
    "message's data are the interrupt.",
  cases: [
    {
      name: "GICv2m",
      machine: { controller: "gicv2m" },
      steps: [
        ...started,
        { mapMsi: { domain: "dma", page: MSI_PAGE } },
        { program: { function: "nvme", vector: 0, address: MSI_IOVA, data: 85 } },
        expecting(enable, { commits: 0, branch: null }, "no fix-up and no commit"),
        {
          vmmWalk: { function: "nvme", iova: MSI_IOVA },
          expect: { gpa: V2M_DOORBELL },
        },
        expecting(raise, { reachedHost: true, path: "kvm", outcome: "delivered", spi: 85 }),
      ],
    },
  ],
};

export const msiGpaNone: Scenario = {
  name: "msi-gpa-none",
  summary:
    "A machine without MSI controller leaves msi-gpa 0: functions have no MSI-X, so the " +
    "doorbell, which must never be 0, is never asked for.",
  cases: [
    {
      name: "none",
      machine: { controller: "none" },
      steps: [
        ...started,
        program,
        expecting(enable, { commits: 0, branch: null }),
        expecting(route, { gsi: null }),
        { map: { domain: "dma", iova: IOVA, gpa: PAGE_A } },
        {
          dma: { function: "nvme", iova: IOVA, write: true },
          expect: { status: "ok", gpa: PAGE_A },
          note: "DMA works as ever",
        },
      ],
    },
  ],
};

export const maskedVector: Scenario = {
  name: "masked-vector",
  summary:
    "A masked vector is signalled to user space, which stores the message to untranslated " +
    "memory: at the guest's IOVA, where nothing is.",
  cases: [
    {
      name: "masked, raised, unmasked",
      steps: [
        ...toRoute,
        ...fixed,
        { mask: { function: "nvme", vector: 0, masked: true } },
        expecting(raise, { path: "user space", outcome: "pending", stores: [] }),
        {
          mask: { function: "nvme", vector: 0, masked: false },
          expect: { commits: 0 },
          note: "the route did not change, so KVM is not told",
        },
        {
          userStores: { function: "nvme" },
          expect: {
            stores: [{ gpa: MSI_IOVA, data: EVENT, translated: false, range: null }],
          },
          note: "the message that waited was stored where no doorbell is",
        },
      ],
    },
  ],
};

export const rcuExits: Scenario = {
  name: "rcu-exits",
  summary:
    "All four exits of the route fix-up leave its RCU read section at depth 0; a scope guard " +
    "that the doorbell's path jumps over would end a section that never began.",
  cases: [
    {
      name: "exits",
      steps: [
        {
          rcu: {},
          expect: {
            depths: { doorbell: 0, translated: 0, "no translation": 0, "no memory there": 0 },
            jumpOverGuard: "RCU read section left without being entered",
          },
        },
      ],
    },
  ],
};
