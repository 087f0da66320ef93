// Messages of an accelerated guest as text: the nested walk, the physical message, the direct
// doorbell.
import type { AccelDoorbell, PhysicalAccess } from "../capture/accel-doorbells.ts";
import { hex } from "./number.ts";
import type { Paint } from "./paint.ts";
import { type Cell, formatTable } from "./table.ts";

const COLUMNS = [
  { title: "function" },
  { title: "vSID" },
  { title: "vector", align: "right" as const },
  { title: "guest's IOVA" },
  { title: "both stages" },
  { title: "host's IOVA" },
  { title: "both stages" },
  { title: "direct" },
];

/** Lines for people; none for a guest that is not accelerated. */
export function formatDoorbells(
  doorbells: readonly AccelDoorbell[],
  paint: Paint,
  width: number,
): string[] {
  if (doorbells.length === 0) return [];
  return [
    "",
    "The accelerated guest's own vectors. Its message would fault in stage 2; the device sends the",
    "host's message; KVM's route carries the direct doorbell of the guest's ITS.",
    "",
    ...formatTable(COLUMNS, doorbells.map(row), { paint, width }),
  ];
}

function row(d: AccelDoorbell): Cell[] {
  return [
    { text: d.hostBdf, style: "name" },
    d.guestSid === null ? "" : hex(d.guestSid),
    String(d.vector),
    hex(d.nested.iova),
    target(d.nested, "warn"),
    d.physical === null ? "" : hex(d.physical.iova),
    d.physical === null ? "" : target(d.physical, "bad"),
    { text: hex(d.direct), style: "good" },
  ];
}

function target(access: PhysicalAccess, style: "warn" | "bad"): Cell {
  if (access.pa !== null) return { text: hex(access.pa), style: "good" };
  const stage = access.stage === null ? "" : ` stage ${access.stage}`;
  const ipa = access.ipa === null ? "" : ` at IPA ${hex(access.ipa)}`;
  return { text: `${access.event}${stage}${ipa}`, style };
}
