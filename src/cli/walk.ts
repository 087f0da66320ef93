// `vsmmu walk`: translates one address of a capture or a full core and shows every fetch.

import { bytesSource } from "../capture/elf.ts";
import { InputError } from "../capture/errors.ts";
import { gunzip, isGzip } from "../capture/files.ts";
import { MemoryImage } from "../capture/image.ts";
import { smmuOfSid } from "../capture/machine.ts";
import type { SmmuState } from "../capture/manifest.ts";
import { openFile } from "../capture/node.ts";
import { ImageWalker, stateFromStreamTable, type WalkReport } from "../capture/walk.ts";
import type { TranslateRequest } from "../engine/types.ts";
import { countFetches } from "../machine/machine.ts";
import { formatBdf } from "../pci/bdf.ts";
import { toJson } from "../view/json.ts";
import { hex } from "../view/number.ts";
import { painter } from "../view/paint.ts";
import { formatStreams, formatWalk, isShown } from "../view/walk.ts";
import { type Args, type Command, type Context, EXIT, UsageError } from "./command.ts";
import { choiceOption, flagOption, integerOption, requiredInteger, textOption } from "./parse.ts";
import { openNamed } from "./source.ts";
import { listStreams } from "./streams.ts";

export const command: Command = {
  name: "walk",
  summary: "translate one address and show every fetch",
  usage: "[--capture DIR | --core FILE --strtab BASE] --sid N --iova N [OPTIONS]",
  description:
    "Translates one address as the SMMU of a stopped guest would, with empty caches, and shows " +
    "every structure and descriptor that it reads, in order.\n\n" +
    "The guest is a capture (the built-in one without --capture), or any full memory dump made " +
    "by dump-guest-memory: then --strtab says where its stream table is.\n\n" +
    "Nothing is stored: with --json, event.record is the record that the fault would leave; " +
    "status is event where it is due, silent where CD.R, S2R or RECINVSID suppresses it.\n\n" +
    "Exits with 1 when the access faults.",
  options: {
    capture: { type: "string", value: "DIR", help: "a capture's directory" },
    core: { type: "string", value: "FILE", help: "an ELF core of the guest's memory (may be .gz)" },
    strtab: { type: "string", value: "BASE", help: "with --core: address of the stream table" },
    log2size: { type: "string", value: "N", help: "with --core: log2 of its StreamIDs (16)" },
    split: { type: "string", value: "N", help: "with --core: SPLIT of a 2-level table (6, 8, 10)" },
    smmu: { type: "string", value: "N", help: "which SMMU of the capture (0)" },
    sid: { type: "string", value: "N", help: "StreamID" },
    ssid: { type: "string", value: "N", help: "SubstreamID; none without it" },
    iova: { type: "string", value: "N", help: "the address that the device puts out" },
    write: { type: "boolean", short: "w", help: "a write access (else a read)" },
    unprivileged: { type: "boolean", help: "an unprivileged access" },
    instruction: { type: "boolean", help: "an instruction fetch" },
    compat: { type: "string", value: "RULES", help: "arch (default) or qemu" },
    list: { type: "boolean", help: "show which StreamIDs exist instead" },
  },
  positionals: [],
  examples: [
    ["vsmmu walk --sid 0x10 --iova 0xfffff040 --write", "the MSI doorbell of the built-in guest"],
    ["vsmmu walk --list", "which StreamIDs it has"],
    [
      "vsmmu walk --core vm.core --strtab 0x46a2a000 --split 8 --sid 0x10 --iova 0xfffff040",
      "a full dump of a guest",
    ],
  ],
  run,
};

const SPLITS = [6n, 8n, 10n];

/** Where to walk. */
interface Target {
  image: MemoryImage;
  states: SmmuState[];
  /** Index of the SMMU in front of a StreamID. */
  smmuOf(sid: number): number;
  /** "0000:00:02.0" of a StreamID, when a function has it. */
  nameOf(sid: number): string | null;
}

async function run(c: Context): Promise<number> {
  const { args } = c;
  const request = flagOption(args, "list") ? undefined : readRequest(args);
  const target = textOption(args, "core") ? await openCore(args) : await openCapture(args);
  const chosen = integerOption(args, "smmu", 8);
  const only = chosen === undefined ? undefined : Number(chosen);
  return request ? walk(c, target, request, only) : showStreams(c, target, only);
}

async function walk(
  c: Context,
  target: Target,
  request: TranslateRequest,
  only: number | undefined,
): Promise<number> {
  const { sid, iova, write } = request;
  const compat = choiceOption(c.args, "compat", ["arch", "qemu"] as const, "arch");
  const index = only ?? target.smmuOf(sid);
  const state = target.states[index];
  if (!state) throw new UsageError(`there is no SMMU ${index}: ${target.states.length} in all`);
  const report = (await ImageWalker.create(target.image, state, compat)).walk(request);
  if (flagOption(c.args, "json")) c.out(toJson(jsonWalk(report)));
  else {
    const what = `${write ? "write" : "read"} of ${hex(iova)} by StreamID ${hex(sid)}`;
    const name = target.nameOf(sid);
    const title = `${what}${name ? ` (${name})` : ""}, ${compat} rules`;
    c.out(formatWalk(report, title, painter(c.color), c.width).join("\n"));
  }
  return report.status === "ok" || report.status === "bypass" ? EXIT.ok : EXIT.found;
}

function readRequest(args: Args): TranslateRequest {
  const ssid = integerOption(args, "ssid", 20);
  const write = flagOption(args, "write");
  const instruction = flagOption(args, "instruction");
  if (write && instruction) throw new UsageError("--instruction is about reads: not with --write");
  return {
    sid: Number(requiredInteger(args, "sid", 32)),
    ssid: ssid === undefined ? undefined : Number(ssid),
    iova: requiredInteger(args, "iova", 64),
    write,
    privileged: !flagOption(args, "unprivileged"),
    instruction,
  };
}

async function openCapture(args: Args): Promise<Target> {
  for (const name of ["strtab", "log2size", "split"]) {
    if (textOption(args, name)) throw new UsageError(`--${name} needs --core`);
  }
  const { image, manifest } = await openNamed(textOption(args, "capture"));
  if (manifest.smmus.length === 0) {
    throw new InputError(manifest.file, "the capture has no SMMU", {}, "give another capture");
  }
  const names = new Map(manifest.functions.map((f) => [f.requesterId, f.bdf]));
  const smmuOf = smmuOfSid(manifest);
  return {
    image,
    states: manifest.smmus,
    smmuOf: (sid) => smmuOf(sid) ?? 0,
    nameOf: (sid) => names.get(sid) ?? null,
  };
}

async function openCore(args: Args): Promise<Target> {
  if (textOption(args, "capture")) throw new UsageError("give --capture or --core, not both");
  const base = requiredInteger(args, "strtab", 52);
  const split = integerOption(args, "split", 5);
  if (split !== undefined && !SPLITS.includes(split)) {
    throw new UsageError("--split must be 6, 8 or 10");
  }
  const log2size = Number(integerOption(args, "log2size", 6) ?? 16n);
  if (log2size > 32) throw new UsageError("--log2size must be at most 32");
  const path = textOption(args, "core") as string;
  let source = await openFile(path);
  if (isGzip(source.read(0, Math.min(3, source.size)))) {
    source = bytesSource(path, await gunzip(source.read(0, source.size), path));
  }
  const options = { log2size, split: split === undefined ? undefined : Number(split) };
  return {
    image: new MemoryImage(source),
    states: [stateFromStreamTable(base, options)],
    smmuOf: () => 0,
    nameOf: (sid) => formatBdf({ domain: 0, bus: sid >>> 8, devfn: sid & 0xff }),
  };
}

async function showStreams(c: Context, target: Target, only: number | undefined): Promise<number> {
  const { rows, aborting } = await listStreams(target, only);
  if (flagOption(c.args, "json")) c.out(toJson({ streams: rows, aborting }));
  else c.out(formatStreams(rows, aborting, painter(c.color), c.width).join("\n"));
  return EXIT.ok;
}

function jsonWalk(r: WalkReport) {
  const { status, pa, size, perm, stage, attributes, event, fetches } = r;
  return {
    steps: r.steps.filter(isShown).map((s) => ({
      what: s.what,
      stage: s.stage,
      level: s.level,
      address: s.address,
      value: s.value,
      verdict: s.verdict,
      hit: s.what === "iotlb-lookup" ? s.hit : undefined,
      asid: s.what.startsWith("iotlb") ? s.asid : undefined,
      vmid: s.what.startsWith("iotlb") ? s.vmid : undefined,
      unbacked: s.unbacked,
    })),
    result: pa === undefined ? null : { pa, size, perm, stage, status, attributes },
    event: event
      ? {
          type: event.type,
          name: event.name,
          record: Array.from(event.record, (b) => b.toString(16).padStart(2, "0")).join(""),
        }
      : null,
    status,
    fetches: countFetches(r.steps),
    loads: fetches,
    missing: r.missing ?? null,
  };
}
