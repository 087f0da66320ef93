// Machines with two SMMUs: writes carry an index, reads and commands may not, streams tell theirs.

import { expect, test } from "vitest";
import { openCapture } from "../../src/capture/capture.ts";
import { machineOf } from "../../src/capture/machine.ts";
import { resolveVectors } from "../../src/machine/route.ts";
import { type Edits, editedFiles, replayEdited } from "./captures.ts";

/** Moves everything of a one-SMMU capture behind a second SMMU; the first stays at reset. */
const SECOND: Edits = {
  manifest(m) {
    const idle = {
      ...m.smmu[0],
      base: 0x0c000000,
      regs: { ...m.smmu[0].regs, STRTAB_BASE_CFG: 0 },
    };
    for (const name of ["CR0", "CR0ACK", "STRTAB_BASE", "CMDQ_PROD", "CMDQ_CONS"]) {
      idle.regs[name] = 0;
    }
    m.smmu = [idle, m.smmu[0]];
    for (const list of [m.streams, m.msi, m.pci]) for (const item of list) item.smmu = 1;
  },
  op: (op) => (op.op === "w" ? { ...op, m: 1 } : op),
  map: (row) => [1, ...row.slice(1)],
};

test("commands and translations find the SMMU that they belong to", async () => {
  const report = await replayEdited("l1-vsmmu-virtio", SECOND);
  expect(report.mismatches).toEqual([]);
  expect(report.translations).toEqual({ checked: 135, matched: 135 });
  expect(report.commands).toEqual({ checked: 53, matched: 53 });
  expect(report.maps.matched).toBe(46);
});

test("a write to the other SMMU does not help", async () => {
  const report = await replayEdited("l1-vsmmu-virtio", {
    ...SECOND,
    op: (op) => (op.op === "w" ? { ...op, m: 0 } : op),
  });
  expect(report.translations.matched).toBe(0);
});

test("a function behind no SMMU keeps its address and agrees", async () => {
  const files = editedFiles("passthrough-4k", {
    manifest(m) {
      for (const p of m.pci) p.smmu = p.bdf === "0000:00:02.0" ? null : 0;
      for (const v of m.msi) if (v.bdf === "0000:00:02.0") v.smmu = null;
    },
  });
  const routes = resolveVectors(await machineOf(await openCapture(files)));
  const own = routes.filter((r) => r.bdf === "0000:00:02.0");
  expect(own).toHaveLength(3);
  for (const r of own) {
    expect(r).toMatchObject({
      walk: null,
      iova: 0x8090040n,
      direct: { gpa: 0x8090040n },
      agree: true,
      delivery: { status: "delivered" },
    });
  }
  expect(routes.filter((r) => r.walk !== null)).toHaveLength(15);
  const report = await replayEdited("passthrough-4k", {
    manifest(m) {
      for (const v of m.msi) if (v.bdf === "0000:00:02.0") v.smmu = null;
    },
  });
  expect(report.mismatches).toEqual([]);
});
