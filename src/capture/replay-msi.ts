// Checks the manifest's vectors on the machine of the stop: doorbell, LPI, collection, target.

import { kvmArchFixupMsiRoute } from "../kvm/fixup.ts";
import { msiRoute } from "../kvm/route.ts";
import type { Machine } from "../machine/machine.ts";
import type { PciFunction } from "../pci/function.ts";
import type { Manifest, MsiState } from "./manifest.ts";
import type { ReportBuilder } from "./replay-report.ts";

/** Compares every `msi` entry of the manifest with what the machine makes of it. */
export function checkManifestMsis(
  manifest: Manifest,
  machine: Machine,
  report: ReportBuilder,
): void {
  const functions = new Map(machine.functions.map((f) => [f.bdf, f]));
  for (const msi of manifest.msis) {
    const fn = functions.get(msi.bdf);
    const [expected, got] = fn ? compare(machine, fn, msi) : ["the function", "not in pci"];
    if (expected === got) {
      report.match("msi");
      continue;
    }
    const what = `${msi.path} ${msi.bdf} vector ${msi.vector}`;
    report.mismatch({ kind: "msi", file: "manifest.json", line: null, what, expected, got });
  }
}

/** Both sides in the same words; only what the manifest says is compared. */
function compare(machine: Machine, fn: PciFunction, msi: MsiState): [string, string] {
  machine.takePath("walk");
  const route = msiRoute(0, msi.iova, msi.data);
  const { doorbell, failure } = kvmArchFixupMsiRoute(route, msi.iova, fn, machine.fixup);
  const said = (name: string, value: number | undefined, got: number | undefined) =>
    value === undefined ? [] : [[`${name} ${value}`, `${name} ${got ?? "none"}`]];
  const pairs: string[][] = [];
  const pa = msi.pa ?? (msi.smmu === null ? msi.iova : undefined);
  if (pa !== undefined)
    pairs.push([hex(pa), doorbell === undefined ? `${failure}` : hex(doorbell)]);
  if (machine.v2m && doorbell !== undefined) {
    pairs.push(...said("SPI", msi.data, machine.v2m.deliver(msi.data).spi));
  }
  if (machine.its && doorbell !== undefined && machine.its.contains(doorbell)) {
    const d = machine.its.deliver(msi.deviceId, msi.data);
    pairs.push(...said("LPI", msi.lpi, d.lpi));
    pairs.push(...said("collection", msi.icid, d.icid));
    pairs.push(...said("redistributor", msi.rdbase, d.rdbase));
    pairs.push(...said("config", msi.lpiConfig, d.config));
  } else if (msi.lpi !== undefined) {
    pairs.push([`LPI ${msi.lpi}`, "no ITS at this address"]);
  }
  return [pairs.map((p) => p[0]).join(" "), pairs.map((p) => p[1]).join(" ")];
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
