// Access attributes of a request as the engine takes them (engine ABI REQUEST_FLAGS).
import { REQUEST_FLAGS } from "../spec/abi-words.ts";
import { packFields } from "../spec/word.ts";
import type { TranslateRequest } from "./types.ts";

const WRITE = Number(packFields(REQUEST_FLAGS, { write: 1 })[0]);
const PRIVILEGED = Number(packFields(REQUEST_FLAGS, { privileged: 1 })[0]);
const INSTRUCTION = Number(packFields(REQUEST_FLAGS, { instruction: 1 })[0]);

/** REQUEST_FLAGS of a request. */
export function requestFlags(r: Omit<TranslateRequest, "sid" | "iova">): number {
  let flags = r.write ? WRITE : 0;
  if (r.privileged ?? true) flags |= PRIVILEGED;
  if (r.instruction) flags |= INSTRUCTION;
  if (r.ssid === undefined) return flags;
  return flags | Number(packFields(REQUEST_FLAGS, { ssv: 1, ssid: r.ssid })[0]);
}
