// vsmmu compare-idr: can a guest SMMU with these ID registers be accelerated on that host SMMU?

import { compareIdr, type IdrComparison } from "../decode/index.ts";
import { painter, type Style } from "../view/paint.ts";
import { type Cell, formatTable } from "../view/table.ts";
import { type Command, type Context, EXIT } from "./command.ts";
import { readIdr } from "./decode-input.ts";
import { flagOption } from "./parse.ts";

const STYLES: Readonly<Record<IdrComparison["verdict"], Style>> = {
  ok: "good",
  refused: "bad",
  missing: "warn",
  unoffered: "warn",
  differs: "dim",
  same: "dim",
};

const shown = (value: number | undefined): string =>
  value === undefined ? "?" : value < 10 ? `${value}` : `0x${value.toString(16)}`;

function rowOf(c: IdrComparison): Cell[] {
  const style = STYLES[c.verdict];
  return [c.field, shown(c.host), shown(c.guest), { text: c.verdict, style }, c.text];
}

function print(context: Context, rows: readonly IdrComparison[]): void {
  const paint = painter(context.color);
  const all = flagOption(context.args, "all");
  const wanted = rows.filter((c) => all || c.verdict !== "same");
  const columns = [
    { title: "field" },
    { title: "host", align: "right" as const },
    { title: "guest", align: "right" as const },
    { title: "verdict" },
    { title: "rule, or what is wrong", shrink: true },
  ];
  context.out(formatTable(columns, wanted.map(rowOf), { paint, width: context.width }).join("\n"));
  const refused = rows.filter((c) => c.verdict === "refused");
  context.out(
    refused.length === 0
      ? paint("good", "The host SMMU fits this guest.")
      : paint("bad", `The host SMMU is refused: ${refused.map((c) => c.field).join(", ")}.`),
  );
}

export const command: Command = {
  name: "compare-idr",
  summary: "compare a host's and a guest's ID registers by the rules of accelerated mode",
  usage: "[OPTIONS] HOST GUEST",
  description:
    "Compares two sets of SMMUv3 ID registers field by field, as QEMU does before " +
    "it lets a device behind an " +
    "accelerated SMMU. HOST and GUEST are register dumps (devmem, xp, md, name and " +
    "value) or lists such as " +
    "IDR0=0x…,IDR1=0x…. Exit code 1 says that the host would be refused.",
  options: {
    all: {
      type: "boolean",
      short: "a",
      help: "show fields that are the same and have no rule, too",
    },
  },
  positionals: [
    { name: "HOST", help: "ID registers of the physical SMMU" },
    { name: "GUEST", help: "ID registers that the guest sees" },
  ],
  examples: [
    ["vsmmu compare-idr host.txt guest.txt", "two register dumps"],
    [
      "vsmmu compare-idr IDR0=0x80fe6bf,IDR1=0xe739d10,IDR3=0x9f0c,IDR5=0x475 guest.txt",
      "registers on the command line",
    ],
  ],
  async run(context) {
    const [host, guest] = await Promise.all(context.args.positionals.map(readIdr));
    const rows = compareIdr(host, guest);
    const refused = rows.some((c) => c.verdict === "refused");
    if (flagOption(context.args, "json"))
      context.out(
        JSON.stringify(
          { schema: "vsmmu-compare-idr", version: 1, fits: !refused, fields: rows },
          null,
          2,
        ),
      );
    else print(context, rows);
    return refused ? EXIT.found : EXIT.ok;
  },
};
