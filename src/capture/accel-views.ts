// What a capture of an accelerated run has besides the VMM's logs: the guest's own queues, the
// physical SMMU's run.
import { EVENT } from "../spec/event.ts";
import { getField, wordsOf } from "../spec/word.ts";
import type { Capture } from "./capture.ts";
import { readList } from "./capture.ts";
import { bytesFromHex, Field } from "./field.ts";
import { gunzip } from "./files.ts";
import { readLines } from "./lists.ts";
import { parseDocument } from "./manifest.ts";
import { parseOp } from "./replay-ops.ts";

/** The guest's queues as its own view of memory shows them. */
export interface GuestView {
  readonly file: string;
  /** Commands in order, 16 bytes each in hexadecimal. */
  readonly commands: readonly string[];
  /** Event records in order, 32 bytes each in hexadecimal. */
  readonly events: readonly string[];
}

/** Reads guest-view/manifest.json; undefined when the capture has none. */
export async function readGuestView(capture: Capture): Promise<GuestView | undefined> {
  const name = "guest-view/manifest.json";
  const bytes = await capture.files.read(name);
  if (bytes === undefined) return undefined;
  const file = capture.files.path(name);
  const root = new Field(file, parseDocument(new TextDecoder().decode(bytes), file));
  const commands = root.optional("vcmdq")?.listOf("commands") ?? [];
  const events = root.optional("vevtq")?.listOf("records") ?? [];
  return {
    file,
    commands: commands.map((f) => f.get("raw").text()),
    events: events.map((f) => f.text()),
  };
}

/** One command that the physical SMMU took. */
export interface PhysicalCommand {
  readonly line: number;
  readonly raw: string;
}

/** The physical SMMU's run, as far as the VMM and the host driver have to do with it. */
export interface PhysicalRun {
  readonly file: string;
  readonly commands: readonly PhysicalCommand[];
  /** Event records in order, with their StreamID. */
  readonly events: readonly {
    readonly line: number;
    readonly sid: number;
    readonly record: Uint8Array;
  }[];
}

/** Lines that can be of use; the others are not parsed. */
const WANTED = /"(?:cmd|evr)"/;

/** Reads the physical SMMU's list; nothing in it when the capture has none. */
export async function readPhysical(capture: Capture): Promise<PhysicalRun> {
  const list = await readList(capture, "replay.jsonl");
  const commands: PhysicalCommand[] = [];
  const events: { line: number; sid: number; record: Uint8Array }[] = [];
  if (list === undefined) return { file: "replay.jsonl", commands, events };
  for await (const batch of readLines(list.bytes, list.file))
    for (const [i, text] of batch.lines.entries()) {
      if (!WANTED.test(text)) continue;
      const line = batch.first + i;
      const op = parseOp(text, list.file, line);
      if (op?.op === "cmd") commands.push({ line, raw: op.raw });
      if (op?.op !== "x" || op.evr === undefined) continue;
      const record = bytesFromHex(op.evr);
      const sid = Number(getField(EVENT, wordsOf(record), "StreamID"));
      events.push({ line, sid, record });
    }
  return { file: list.file, commands, events };
}

/** The text of a list, `NAME.gz` or `NAME`; undefined when the capture has none. */
export async function readText(
  capture: Capture,
  name: string,
): Promise<{ file: string; text: string } | undefined> {
  const list = await readList(capture, name);
  if (list === undefined) return undefined;
  const bytes = await gunzip(list.bytes, list.file);
  return { file: list.file, text: new TextDecoder().decode(bytes) };
}
