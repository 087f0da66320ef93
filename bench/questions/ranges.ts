// The worst range invalidation: every shape of NUM, SCALE, TG and TTL, present or not (IHI0070
// 4.4.1).
import { command } from "../../src/tables/command.ts";
import { atMost, type Effort, type Row } from "../question.ts";
import { pairedRounds, timeNs } from "../rounds.ts";
import { type Spread, spreadOf } from "../stats.ts";
import { batchPass } from "../world/batch.ts";
import type { CommandWorld } from "./commands.ts";

const IOVA_BASE = 2n ** 32n;
const OTHER_ASID = 77;
const NUMS = [0, 7, 31];
const SCALES = [0, 3, 5, 9, 14, 31];
const GRANULES = [1, 2, 3];
const LEVELS = [0, 3];
const OPCODES = ["CMD_TLBI_NH_VA", "CMD_TLBI_NH_VAA", "CMD_TLBI_S2_IPA"] as const;
/** Rounds of each shape at most: there are hundreds of them. */
const ROUNDS_MAX = 7;
const ROUNDS_MIN = 3;

/** One command of the matrix. */
interface Shape {
  readonly text: string;
  readonly bytes: Uint8Array;
}

/** All legal shapes. A command for another ASID finds nothing that is cached. */
function shapesOf(asid: number): Shape[] {
  const shapes: Shape[] = [];
  for (const opcode of OPCODES) {
    for (const tag of opcode === "CMD_TLBI_NH_VA" ? [asid, OTHER_ASID] : [0]) {
      for (const num of NUMS) {
        for (const scale of SCALES) {
          for (const tg of GRANULES) {
            for (const ttl of LEVELS) {
              if (num + scale + ttl > 0) shapes.push(shape(opcode, tag, num, scale, tg, ttl));
            }
          }
        }
      }
    }
  }
  return shapes;
}

function shape(
  opcode: (typeof OPCODES)[number],
  asid: number,
  num: number,
  scale: number,
  tg: number,
  ttl: number,
): Shape {
  const bytes = command(opcode, {
    ...(opcode === "CMD_TLBI_NH_VA" ? { "TLBI.ASID": asid } : {}),
    "TLBI.Address": IOVA_BASE,
    "TLBI.NUM": num,
    "TLBI.SCALE": scale,
    "TLBI.TG": tg,
    "TLBI.TTL": ttl,
  });
  const absent = asid === OTHER_ASID ? " of an ASID that has none" : "";
  return { text: `${opcode} NUM=${num} SCALE=${scale} TG=${tg} TTL=${ttl}${absent}`, bytes };
}

/** Microseconds of the register write that has one command consumed, worst shape first. */
export async function rangeRow(c: CommandWorld, asid: number, effort: Effort): Promise<Row> {
  const engine = await c.world.engine("fast");
  let worst: { spread: Spread; text: string } | undefined;
  const shapes = shapesOf(asid);
  const rounds = Math.max(ROUNDS_MIN, Math.min(ROUNDS_MAX, effort.rounds));
  for (const [i, { text, bytes }] of shapes.entries()) {
    effort.note?.(`range invalidation ${i + 1} of ${shapes.length}`);
    const contestant = {
      name: "range" as const,
      prepare: () => {
        batchPass(engine, c.ring);
        c.queue.put(bytes);
      },
      pass: () => {
        const write = c.queue.produce(1);
        return timeNs(() => engine.mmioWrite(...write));
      },
    };
    const { range } = await pairedRounds([contestant], rounds, 1);
    const spread = spreadOf(range.map((ns) => ns / 1000));
    if (worst === undefined || spread.median > worst.spread.median) worst = { spread, text };
  }
  return {
    name: `the worst of ${shapes.length} range invalidations`,
    key: "worst range",
    meaning: "register write to return",
    value: worst?.spread,
    unit: "us",
    target: atMost(6),
    note: worst?.text,
  };
}
