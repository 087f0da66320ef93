// The guest's use of MSI-X as a trace shows it: enable, program and unmask a vector, mask it,
// disable.
import type { VfioPciDevice } from "../vfio/device.ts";
import type { LoggedRouting } from "./accel-calls.ts";
import type { Action } from "./accel-trace.ts";

export type VectorAction = Extract<
  Action,
  { readonly kind: "enable" | "disable" | "use" | "release" }
>;

const ENTRY_BYTES = 16;
const ENTRY_DATA = 8;
const ENTRY_CONTROL = 12;

/** What programming a vector needs to know. */
export interface VectorWorld {
  /** The function at a host address; undefined when it has no MSI-X. */
  find(bdf: string): VfioPciDevice | undefined;
  readonly routings: readonly LoggedRouting[];
  /** Routing tables that the model has committed so far. */
  readonly committed: number;
  /** Address of messages when no fix-up tells it. */
  readonly address: bigint;
}

/** Performs an action on the function's vector table. Throws for a function without MSI-X. */
export function performVector(action: VectorAction, world: VectorWorld): void {
  const vfio = world.find(action.bdf);
  if (vfio === undefined) throw new Error(`${action.bdf || "the function"} has no MSI-X`);
  const { kind } = action;
  if (kind === "enable") for (const v of action.vectors) program(vfio, action, v, world);
  if (kind === "enable" || kind === "disable") vfio.setEnabled(kind === "enable");
  if (kind === "use") program(vfio, action, action.vector, world);
  if (kind === "release")
    vfio.fn.msix?.writeTable(action.vector * ENTRY_BYTES + ENTRY_CONTROL, 4, 1n);
}

/** The guest writes a vector's address and data, as the record names them later, and unmasks it. */
function program(
  { fn: { msix } }: VfioPciDevice,
  action: VectorAction,
  vector: number,
  world: VectorWorld,
): void {
  const at = vector * ENTRY_BYTES;
  const fixup = action.effects.find(({ name }) => name === "kvm_arm_fixup_msi_route");
  const iova = /0x[0-9a-f]+/.exec(fixup?.text ?? "")?.[0];
  msix?.writeTable(at, 8, iova === undefined ? world.address : BigInt(iova));
  msix?.writeTable(at + ENTRY_DATA, 4, BigInt(dataOf(action, vector, world)));
  msix?.writeTable(at + ENTRY_CONTROL, 4, 0n);
}

/**
 * Data of the message: that of the first routing table, from now on, which has the vector's GSI.
 */
function dataOf(action: VectorAction, vector: number, world: VectorWorld): number {
  const added = action.effects.filter(({ name }) => name === "kvm_irqchip_add_msi_route");
  const own = added.find(({ text }) => text.includes(`vector ${vector} `));
  const gsi = Number(/virq (\d+)/.exec(own?.text ?? "")?.[1] ?? -1);
  const later = world.routings.slice(world.committed).flatMap((r) => r.messages);
  return later.find((m) => m.gsi === gsi)?.data ?? vector;
}
