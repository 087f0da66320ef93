// vsmmu decode: what kernel logs, records, entries and registers say.

import { createReadStream } from "node:fs";
import { InputError } from "../capture/errors.ts";
import {
  type DecodedRecord,
  type DecodeOptions,
  type DecodeResult,
  decodeText,
  EXPECTED,
  INPUT_KINDS,
  type InputKind,
  LogDecoder,
  recordLine,
  renderRecord,
  renderResult,
  resultJson,
} from "../decode/index.ts";
import schema from "../decode/schema.json" with { type: "json" };
import { painter } from "../view/paint.ts";
import { type Command, type Context, EXIT, UsageError } from "./command.ts";
import { allOf, idrOption, isFile, isWord, readText, textOf } from "./decode-input.ts";
import { choiceOption, flagOption, integerOption, textOption } from "./parse.ts";

const GRANULES = ["4K", "16K", "64K"] as const;

/** Kinds whose arguments may be words instead of files. */
const WORD_KINDS: ReadonlySet<InputKind> = new Set(
  INPUT_KINDS.filter((k) => k !== "dmesg" && k !== "trace" && k !== "regs"),
);

function numberOf(args: Context["args"], name: string, max: number): number | undefined {
  const value = integerOption(args, name, 32);
  if (value !== undefined && value > BigInt(max))
    throw new UsageError(`--${name} is at most ${max}`);
  return value === undefined ? undefined : Number(value);
}

function granuleOf(args: Context["args"]): DecodeOptions["granule"] {
  const given = textOption(args, "granule");
  if (given === undefined) return undefined;
  const name = given.toUpperCase().replace(/B$/, "") as (typeof GRANULES)[number];
  if (!GRANULES.includes(name))
    throw new UsageError(`--granule must be 4k, 16k or 64k, not "${given}"`);
  return name;
}

function doorbellsOf(args: Context["args"]): bigint[] {
  return allOf(args, "doorbell").map((text) => {
    if (!/^(?:0x[0-9a-f]{1,16}|\d{1,20})$/i.test(text))
      throw new UsageError(`--doorbell wants an address like 0x8090040, not "${text}"`);
    return BigInt(text);
  });
}

async function optionsOf(args: Context["args"]): Promise<DecodeOptions> {
  const stage = numberOf(args, "stage", 2);
  if (stage === 0) throw new UsageError("--stage must be 1 or 2");
  return {
    doorbells: doorbellsOf(args),
    idr: await idrOption(args),
    sidBase: numberOf(args, "sid-base", 0xffffffff),
    base: integerOption(args, "base"),
    stage: stage as 1 | 2 | undefined,
    level: numberOf(args, "level", 3),
    granule: granuleOf(args),
  };
}

/** One input by name. */
interface Input {
  readonly name: string;
  readonly text: string;
}

async function inputsOf(context: Context, kind: InputKind): Promise<Input[]> {
  const given = context.args.positionals;
  if (given.length === 0 || (given.length === 1 && given[0] === "-")) {
    if (process.stdin.isTTY && context.isTTY)
      context.err("Reading from the terminal; end with Ctrl-D.");
    try {
      return [{ name: "stdin", text: textOf(await context.stdin()) }];
    } catch {
      throw new InputError("stdin", "is damaged gzip, or too large");
    }
  }
  if (WORD_KINDS.has(kind) && given.every(isWord) && !(await isFile(given[0])))
    return [{ name: "the words", text: given.join(" ") }];
  return Promise.all(given.map(async (name) => ({ name, text: await readText(name) })));
}

/** Several results as one, each record with the name of its input. */
function merged(results: readonly DecodeResult[], inputs: readonly Input[]): DecodeResult {
  if (results.length === 1) return results[0];
  const trace: Record<string, number> = {};
  for (const r of results)
    for (const [name, n] of Object.entries(r.trace)) trace[name] = (trace[name] ?? 0) + n;
  return {
    records: results.flatMap((r, i) => r.records.map((x) => ({ ...x, input: inputs[i].name }))),
    storms: results.flatMap((r) => r.storms),
    suppressed: results.reduce((sum, r) => sum + r.suppressed, 0),
    trace,
    understood: results.some((r) => r.understood),
    faults: results.reduce((sum, r) => sum + r.faults, 0),
  };
}

const pageOf = (context: Context) => ({
  paint: painter(context.color),
  width: context.width,
  everything: flagOption(context.args, "all"),
});

async function decodeOnce(
  context: Context,
  kind: InputKind,
  options: DecodeOptions,
): Promise<number> {
  const inputs = await inputsOf(context, kind);
  const results = inputs.map((i) => decodeText(i.text, kind, options));
  const result = merged(results, inputs);
  if (flagOption(context.args, "json")) context.out(JSON.stringify(resultJson(result), null, 2));
  else if (inputs.length === 1) {
    const lines = renderResult(result, pageOf(context));
    if (lines.length > 0) context.out(lines.join("\n"));
  } else
    for (const [i, r] of results.entries())
      if (r.understood)
        context.out(
          [`==> ${inputs[i].name} <==`, ...renderResult(r, pageOf(context)), ""].join("\n"),
        );
  inputs.forEach((input, i) => {
    if (!results[i].understood)
      context.err(`vsmmu decode: nothing to decode in ${input.name}; expected ${EXPECTED[kind]}.`);
  });
  if (!result.understood) return EXIT.input;
  return result.faults > 0 ? EXIT.found : EXIT.ok;
}

/** A pause after which records that are still open are printed. */
const IDLE_MILLISECONDS = 300;

async function* chunksOf(context: Context): AsyncGenerator<string> {
  const [name] = context.args.positionals;
  const stream = name === undefined || name === "-" ? process.stdin : createReadStream(name);
  const decoder = new TextDecoder();
  try {
    for await (const chunk of stream) yield decoder.decode(chunk as Uint8Array, { stream: true });
  } catch (error) {
    throw new InputError(name ?? "stdin", (error as { code?: string }).code ?? "cannot be read");
  }
}

async function follow(context: Context, options: DecodeOptions): Promise<number> {
  const json = flagOption(context.args, "json");
  const page = pageOf(context);
  const decoder = new LogDecoder(options);
  let faults = 0;
  const emit = (records: readonly DecodedRecord[]): void => {
    for (const r of records) {
      if (r.fault) faults++;
      context.out(json ? recordLine(r) : `${renderRecord(r, page).join("\n")}\n`);
    }
  };
  let rest = "";
  let timer: NodeJS.Timeout | undefined;
  for await (const chunk of chunksOf(context)) {
    clearTimeout(timer);
    const lines = (rest + chunk).split("\n");
    rest = (lines.pop() ?? "").slice(0, 1 << 16);
    for (const line of lines) emit(decoder.push(line));
    timer = setTimeout(() => emit(decoder.flush()), IDLE_MILLISECONDS);
  }
  clearTimeout(timer);
  if (rest !== "") emit(decoder.push(rest));
  emit(decoder.flush());
  return faults > 0 ? EXIT.found : EXIT.ok;
}

export const command: Command = {
  name: "decode",
  summary: "say what kernel logs, event records, entries and registers mean",
  usage: "[OPTIONS] [FILE... | WORD...]",
  description:
    "Finds SMMUv3 records in any mix of text: kernel and Xen logs in every state of " +
    "quoting and wrapping, " +
    "QEMU traces, debugfs dumps, boot lines, register dumps. Prints each field, " +
    "what it means, likely causes, " +
    "and what to look at next.\n\n" +
    "Without FILE it reads the standard input. Exit code 1 says that a fault was " +
    "decoded, 3 that nothing was " +
    "understood.",
  options: {
    from: {
      type: "string",
      value: "KIND",
      help: `how to read the input: ${INPUT_KINDS.join(", ")}`,
    },
    doorbell: {
      type: "string",
      value: "ADDRESS",
      multiple: true,
      help: "a known MSI doorbell: faults near it say which bits differ",
    },
    idr: {
      type: "string",
      value: "FILE|LIST",
      multiple: true,
      help: "ID registers (a dump, or IDR0=0x…,IDR1=0x…): judge entries by what the SMMU has",
    },
    "sid-base": {
      type: "string",
      value: "N",
      help: "what IORT or iommu-map adds to a RequesterID",
    },
    base: { type: "string", value: "ADDRESS", help: "base address of a register dump" },
    stage: { type: "string", value: "1|2", help: "stage of a descriptor (default 1)" },
    level: { type: "string", value: "N", help: "level of a descriptor (default: every reading)" },
    granule: { type: "string", value: "SIZE", help: "4k (default), 16k or 64k" },
    all: { type: "boolean", short: "a", help: "print repeated faults in full, too" },
    follow: {
      type: "boolean",
      short: "f",
      help: "decode a stream as it comes; with --json one line a record",
    },
    schema: { type: "boolean", help: "print the JSON Schema of --json and stop" },
  },
  positionals: [
    { name: "INPUT", help: "files, or the words of one entry", optional: true, variadic: true },
  ],
  examples: [
    ["dmesg | vsmmu decode", "explain every SMMU fault in the kernel log"],
    ["vsmmu decode --doorbell 0x8090040 mail.txt", "compare faults with a known doorbell"],
    [
      "vsmmu decode --from ste 0x4730500b 0xd6",
      "a stream table entry, and whether Linux would take it as vSTE",
    ],
    ["vsmmu decode --from pte --level 2 0x60000005c000f45", "one translation table descriptor"],
    ["vsmmu decode --follow --json /dev/kmsg", "a JSON line for every record as it happens"],
  ],
  async run(context) {
    if (flagOption(context.args, "schema")) {
      context.out(JSON.stringify(schema, null, 2));
      return EXIT.ok;
    }
    const kind = choiceOption(context.args, "from", INPUT_KINDS, "auto");
    const options = await optionsOf(context.args);
    return flagOption(context.args, "follow")
      ? follow(context, options)
      : decodeOnce(context, kind, options);
  },
};
