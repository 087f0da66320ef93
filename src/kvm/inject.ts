// How KVM turns a message into an LPI, and where it drops one silently (Linux 7.2 vgic-its.c).
import type { Delivery, ItsStatus } from "../gic/delivery.ts";
import { ERRNO } from "../spec/errno.ts";
import { KVM_MSI_VALID_DEVID, KVM_VGIC_V3_ITS_SIZE } from "../spec/uapi-kvm.ts";

/** A message as KVM_SIGNAL_MSI or a route carries it. */
export interface KvmMessage {
  /** Guest-physical doorbell. */
  readonly address: bigint;
  /** EventID. */
  readonly data: number;
  /** KVM_MSI_VALID_DEVID, or 0. */
  readonly flags: number;
  /** DeviceID. */
  readonly devid: number;
}

/** What an injection needs of an ITS. */
export interface ItsDevice {
  deliver(deviceId: number, eventId: number): Delivery;
  /** The translation cache alone; undefined when it misses. */
  deliverCached(deviceId: number, eventId: number): Delivery | undefined;
}

/** An ITS of the machine and where its two frames are. */
export interface ItsFrame {
  readonly base: bigint;
  readonly its: ItsDevice;
}

/** Why a message never got as far as an ITS. */
export type RouteLoss = "NO_ITS" | "NO_DEVICE_ID" | "NOT_AN_ITS";

/** One message through KVM. */
export interface Injection {
  readonly outcome: Delivery["outcome"];
  /**
   * What KVM_SIGNAL_MSI returns: 1 delivered, 0 blocked by the guest, or a negative error number.
   */
  readonly result: number;
  readonly reason: RouteLoss | ItsStatus;
  /** The reason in words. */
  readonly text: string;
  /** The ITS whose frames hold the address. */
  readonly frame: ItsFrame | undefined;
  readonly delivery: Delivery | undefined;
}

const ITS_BYTES = BigInt(KVM_VGIC_V3_ITS_SIZE);

const LOSSES: Readonly<Record<RouteLoss, readonly [result: number, text: string]>> = {
  NO_ITS: [-ERRNO.ENODEV, "the machine has no ITS"],
  NO_DEVICE_ID: [-ERRNO.EINVAL, "the route does not say which device sends the message"],
  NOT_AN_ITS: [-ERRNO.EINVAL, "the address lies in no ITS frame"],
};

function lost(reason: RouteLoss): Injection {
  const [result, text] = LOSSES[reason];
  return { outcome: "lost", result, reason, text, frame: undefined, delivery: undefined };
}

/** The ITS whose 128 KiB hold the address, at any offset. */
export function findItsFrame(frames: readonly ItsFrame[], gpa: bigint): ItsFrame | undefined {
  return frames.find(({ base }) => gpa >= base && gpa < base + ITS_BYTES);
}

function resultOf({ outcome, status }: Delivery): number {
  if (outcome !== "lost") return 1;
  return status === "DISABLED" || status === "LPIS_DISABLED" ? -ERRNO.EBUSY : 0;
}

const landed = (frame: ItsFrame, delivery: Delivery): Injection => ({
  outcome: delivery.outcome,
  result: resultOf(delivery),
  reason: delivery.status,
  text: delivery.reason,
  frame,
  delivery,
});

/** The part that runs in interrupt context: only a cached translation, else undefined. */
export function injectCached(
  frames: readonly ItsFrame[],
  message: KvmMessage,
): Injection | undefined {
  const frame = findItsFrame(frames, message.address);
  const delivery = frame?.its.deliverCached(message.devid, message.data);
  return frame && delivery ? landed(frame, delivery) : undefined;
}

/**
 * Injects a message: from the translation cache, else by finding the ITS and asking it.
 *
 * 1. A cached translation is used without a look at the flags.
 * 2. No ITS: -ENODEV. The flag VALID_DEVID missing: -EINVAL. An address outside every ITS: -EINVAL.
 * 3. The ITS or the LPIs of the target switched off: -EBUSY. No mapping: 0.
 */
export function injectMessage(frames: readonly ItsFrame[], message: KvmMessage): Injection {
  const cached = injectCached(frames, message);
  if (cached !== undefined) return cached;
  if (frames.length === 0) return lost("NO_ITS");
  if (message.flags !== KVM_MSI_VALID_DEVID) return lost("NO_DEVICE_ID");
  const frame = findItsFrame(frames, message.address);
  if (frame === undefined) return lost("NOT_AN_ITS");
  return landed(frame, frame.its.deliver(message.devid, message.data));
}
