// Random transactions around one mapped address.

import type { Machine } from "./machine.ts";
import type { Draw } from "./source.ts";

/** One transaction. */
export interface GeneratedRequest {
  sid: number;
  ssid?: number;
  iova: bigint;
  write: boolean;
  privileged: boolean;
  instruction: boolean;
}

/** Draws the transactions: first the mapped address, then variations of it. */
export function drawRequests(
  draw: Draw,
  m: Machine,
  main: { sid: number; ssid: number | undefined; iova: bigint },
): GeneratedRequest[] {
  const requests: GeneratedRequest[] = [];
  for (let n = 0, count = draw.between(1, 4); n < count; n++) {
    const request: GeneratedRequest = {
      sid: main.sid,
      iova: main.iova,
      write: draw.chance(40),
      privileged: draw.chance(40),
      instruction: draw.chance(25),
    };
    if (main.ssid !== undefined) request.ssid = main.ssid;
    if (n > 0) {
      switch (draw.below(10)) {
        case 0:
          request.iova ^= 1n << BigInt(draw.below(64));
          break;
        case 1:
          request.iova = draw.u64();
          break;
        case 2:
          request.iova ^= BigInt(draw.below(256)) << 56n;
          break;
        case 3:
          request.iova = BigInt.asUintN(64, request.iova + BigInt(draw.below(0x40000)));
          break;
        case 4:
          if (draw.chance(50)) request.sid = draw.below(2 ** Math.min(32, m.sidBits + 1));
          else request.sid = Math.max(0, request.sid + draw.between(-2, 2));
          break;
        case 5:
          if (m.ssidBits !== 0 || draw.chance(20)) request.ssid = draw.below(2 ** draw.below(21));
          if (draw.chance(30)) delete request.ssid;
          break;
      }
    }
    requests.push(request);
  }
  return requests;
}

/** A request near one of `requests`: in the same page, in a neighbour, or of another access. */
export function drawNear(draw: Draw, requests: readonly GeneratedRequest[]): GeneratedRequest {
  const request = { ...draw.pick(requests) };
  const kind = draw.below(10);
  if (kind < 3) request.iova ^= BigInt(draw.below(4096));
  else if (kind < 5) request.iova ^= BigInt(draw.below(8)) << 12n;
  else if (kind === 5) request.iova ^= 1n << BigInt(draw.below(64));
  if (draw.chance(15)) request.write = !request.write;
  if (draw.chance(15)) request.privileged = !request.privileged;
  if (draw.chance(3)) request.sid = (request.sid ^ (1 << draw.below(4))) >>> 0;
  return request;
}
