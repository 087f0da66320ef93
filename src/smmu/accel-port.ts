// What the accelerated half stands between: the guest's emulated SMMU and the host device behind
// each function.

import type { IommufdClient } from "../vfio/iommufd/client.ts";
import type { GuestIdRegisters } from "./accel-properties.ts";

/** The emulated SMMU as the accelerated half drives it: commands one by one, STEs, events. */
export interface GuestSmmu {
  readRegister(offset: number, size?: 4 | 8): bigint;
  /** A register write whose commands wait for `stepCommand`. */
  writeRegister(offset: number, value: bigint | number, size?: 4 | 8): void;
  /**
   * Executes one command and gives its 16 bytes; undefined when the queue is empty, disabled or
   * stopped, and when this command stopped it.
   */
  stepCommand(): Uint8Array | undefined;
  /** Refuses the command that was stepped last, with a CERROR code. */
  rejectCommand(cerror: number): void;
  /**
   * The eight words of a stream's STE as they are in guest memory; undefined when there is none.
   */
  findSte(sid: number): bigint[] | undefined;
  /** Appends a 32-byte record to the guest's event queue. False when it was lost. */
  appendEvent(record: Uint8Array): boolean;
  reset(): void;
  /** Sets the ID registers that the guest reads. */
  identify(id: GuestIdRegisters): void;
  /** Loads of guest memory so far. */
  readonly guestReads: number;
}

/** The host's side of a vfio-pci function, as VFIO hands it to the vSMMU. */
export interface HostIommuDevice {
  /** Its object id in the iommufd. */
  readonly devid: number;
  readonly client: IommufdClient;
  /** The nest parent that VFIO attached it to. */
  readonly s2HwptId: number;
  /** VFIO_DEVICE_ATTACH_IOMMUFD_PT. Throws the KernelError. */
  attach(hwptId: number): void;
}

/** What the accelerated vSMMU did, in order. */
export type AccelEvent =
  | { readonly kind: "device"; readonly devfn: number; readonly devid: number }
  | {
      readonly kind: "translate";
      readonly vsid: number;
      readonly hwpt: number;
      readonly ste: readonly [bigint, bigint];
    }
  | {
      readonly kind: "install";
      readonly vsid: number;
      readonly type: InstallType;
      readonly hwpt: number;
    }
  | { readonly kind: "forward"; readonly command: Uint8Array; readonly done: number }
  | { readonly kind: "event"; readonly record: Uint8Array; readonly appended: boolean }
  | { readonly kind: "error"; readonly text: string };

export type InstallType = "abort" | "bypass" | "translate";
