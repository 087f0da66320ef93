// Finds the capture that a command is about: the one named, or the one that the program carries.

import { stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type Capture, openCapture } from "../capture/capture.ts";
import { InputError } from "../capture/errors.ts";
import { directoryFiles } from "../capture/node.ts";

/** Name of the built-in capture. */
export const BUILTIN_CAPTURE = "s1-4k-strict-nobg";

/** Beside the built program, and in the source tree. */
const BUILTIN_PLACES = ["./captures/", "../../test/captures/"];

/**
 * Opens the capture in `directory`, or the built-in one.
 * @throws InputError when there is none
 */
export async function openNamed(directory: string | undefined): Promise<Capture> {
  return openCapture(await directoryFiles(directory ?? (await builtinDirectory())));
}

async function builtinDirectory(): Promise<string> {
  for (const place of BUILTIN_PLACES) {
    const path = fileURLToPath(new URL(`${place}${BUILTIN_CAPTURE}/`, import.meta.url));
    if (await stat(path).catch(() => undefined)) return path;
  }
  throw new InputError(
    BUILTIN_CAPTURE,
    "the built-in capture is missing",
    {},
    "build the program with: npm run build",
  );
}
