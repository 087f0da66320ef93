// vsmmu explain: any field, register, command, event or code by name or number.

import {
  diagramSvg,
  type Explanation,
  explain,
  explanationLines,
  suggest,
} from "../decode/index.ts";
import { painter } from "../view/paint.ts";
import { type Command, type Context, EXIT } from "./command.ts";
import { idrOption } from "./decode-input.ts";
import { flagOption } from "./parse.ts";

/** An explanation without the layout it was drawn from. */
function jsonOf({ topic, ...rest }: Explanation): object {
  const { layout, field, number, ...about } = topic;
  const bits = field === undefined ? {} : { hi: field.hi, lo: field.lo };
  const numbered = number === undefined ? {} : { number: `0x${number.toString(16)}` };
  return { ...about, ...numbered, ...bits, ...(layout ? { layout: layout.name } : {}), ...rest };
}

function svgOf(found: readonly Explanation[]): string | undefined {
  const drawn = found.find((e) => e.topic.layout !== undefined);
  if (drawn?.topic.layout === undefined) return undefined;
  const { field } = drawn.topic;
  return diagramSvg(drawn.topic.layout, field === undefined ? {} : { marked: field.name });
}

const EXPECTED =
  "; expected a field, register, command, event or number, as STE.S1DSS, CMD_SYNC or 0x10.";

function unknown(context: Context, name: string): number {
  const near = suggest(name);
  const hint = near.length === 0 ? EXPECTED : `; did you mean ${near.join(", ")}?`;
  context.err(`vsmmu explain: nothing is called "${name}"${hint}`);
  return EXIT.input;
}

export const command: Command = {
  name: "explain",
  summary: "explain a field, register, command, event or error code",
  usage: "[OPTIONS] NAME|0xHEX...",
  description:
    "Says where the bits are, what the values mean, when the field exists, who sets " +
    "it, which rules look at " +
    "it and what belongs to it, with a drawing of the layout. A number is looked up " +
    "as event, opcode and " +
    "register offset.",
  options: {
    idr: {
      type: "string",
      value: "FILE|LIST",
      multiple: true,
      help: "ID registers: say whether the thing exists in that SMMU",
    },
    svg: { type: "boolean", help: "print the layout as an SVG drawing" },
  },
  positionals: [{ name: "NAME", help: "what to explain", variadic: true }],
  examples: [
    ["vsmmu explain STE.S1DSS", "a field, its values and rules"],
    ["vsmmu explain 0x10", "event 0x10, command 0x10, register 0x10"],
    ["vsmmu explain CMD_ATC_INV --idr IDR0=0xd44101b", "is this command legal on that SMMU?"],
    ["vsmmu explain --svg STE > ste.svg", "a drawing of the stream table entry"],
  ],
  async run(context) {
    const idr = await idrOption(context.args);
    const paint = painter(context.color);
    let code: number = EXIT.ok;
    const all: Explanation[] = [];
    for (const name of context.args.positionals) {
      const found = explain(name, idr);
      if (found.length === 0) code = unknown(context, name);
      all.push(...found);
    }
    if (flagOption(context.args, "svg")) {
      const svg = svgOf(all);
      if (svg === undefined) return code === EXIT.ok ? EXIT.input : code;
      context.out(svg);
      return code;
    }
    if (flagOption(context.args, "json")) context.out(JSON.stringify(all.map(jsonOf), null, 2));
    else {
      const blocks = all.map((e) =>
        explanationLines(e, { paint, width: context.width }).join("\n"),
      );
      if (blocks.length > 0) context.out(blocks.join("\n\n"));
    }
    return code;
  },
};
