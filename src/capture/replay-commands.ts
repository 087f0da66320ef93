// Checks SMMU commands: each is put into the queue, consumed by the engine, and compared.

import { CMD } from "../spec/command.ts";
import { CMDQ_BASE, CMDQ_CONS } from "../spec/register-queue.ts";
import { bytesOf, getField, wordsOf } from "../spec/word.ts";
import { bytesFromHex } from "./field.ts";
import type { ReplayMemory } from "./replay-memory.ts";
import type { CommandErrorOp, CommandOp } from "./replay-ops.ts";
import type { ReportBuilder } from "./replay-report.ts";
import type { ReplaySmmu } from "./replay-smmu.ts";
import { TRACE_KIND } from "./trace-view.ts";

const COMMAND_BYTES = 16;
const ILLEGAL_OPCODE = 0xff;
const CERROR_NONE = 0;

/** A command line whose verdict waits for the next line: that may be its error. */
interface Waiting {
  op: CommandOp;
  line: number;
  /** What differs so far. */
  problem: { expected: string; got: string } | undefined;
  /** False until the engine has consumed it. */
  consumed: boolean;
  /** The recorded bytes are not those that were refused. */
  refused: boolean;
}

/** Feeds the commands of one SMMU. */
export class CommandChecker {
  readonly #smmu: ReplaySmmu;
  readonly #memory: ReplayMemory;
  readonly #report: ReportBuilder;
  readonly #file: string;
  /** Whether queue memory is known from the list itself. */
  readonly #ordered: boolean;
  #waiting: Waiting[] = [];
  /** CMDQ_BASE taken apart; forgotten at each register write. */
  #queue: { base: number; log2: number } | undefined;

  constructor(
    smmu: ReplaySmmu,
    memory: ReplayMemory,
    report: ReportBuilder,
    options: { file: string; ordered: boolean },
  ) {
    this.#smmu = smmu;
    this.#memory = memory;
    this.#report = report;
    this.#file = options.file;
    this.#ordered = options.ordered;
  }

  /** A `cmd` line: the engine consumes the command now, unless an error stopped its queue. */
  command(op: CommandOp, line: number): void {
    this.settle();
    const item: Waiting = { op, line, problem: undefined, consumed: false, refused: false };
    this.#waiting.push(item);
    const { base, log2 } = this.#where();
    this.#place(op, base + COMMAND_BYTES * (op.i % 2 ** log2), item);
    if (this.#smmu.commandError()) return;
    // RD is the lowest field; ERR above it counts only while an error is active.
    const cons = this.#smmu.stored(CMDQ_CONS.offset) % 2 ** (log2 + 1);
    if (cons % 2 ** log2 !== op.i % 2 ** log2) {
      item.problem = { expected: `index ${op.i}`, got: `CMDQ_CONS ${cons % 2 ** log2}` };
      return;
    }
    this.#smmu.produceCommands((cons + 1) % 2 ** (log2 + 1));
    this.#collect();
  }

  /** Before any line that is no `cmderr`: what was consumed did not fail. */
  settle(): void {
    if (this.#waiting.length === 0) return;
    const done = this.#waiting.filter((w) => w.consumed);
    this.#waiting = this.#waiting.filter((w) => !w.consumed);
    for (const item of done) this.#verdict(item);
  }

  /** After a register write, which is logged after its effects: all that waited is due. */
  afterWrite(): void {
    this.#queue = undefined;
    if (this.#waiting.length > 0) this.#collect();
    this.end();
  }

  /** A `cmderr` line: the command before it must have failed with this code. */
  error(op: CommandErrorOp): void {
    const item = this.#waiting.pop();
    if (!item) return;
    const got = this.#smmu.commandError() ?? CERROR_NONE;
    if (got !== op.err) {
      item.problem ??= { expected: `error ${op.err}`, got: `error ${got}` };
    }
    item.consumed = true;
    this.#verdict(item);
  }

  /** Gives every verdict; commands that were never consumed are mismatches. */
  end(): void {
    for (const item of this.#waiting.splice(0)) this.#verdict(item);
  }

  #where(): { base: number; log2: number } {
    if (this.#queue) return this.#queue;
    const word = [this.#smmu.read(CMDQ_BASE.offset, 8)];
    const log2 = Number(getField(CMDQ_BASE, word, "LOG2SIZE"));
    this.#queue = { base: Number(getField(CMDQ_BASE, word, "ADDR")), log2 };
    return this.#queue;
  }

  #verdict(item: Waiting): void {
    if (!item.consumed) item.problem ??= { expected: "a command", got: "not consumed" };
    if (item.problem === undefined) {
      this.#report.match("commands");
      return;
    }
    this.#report.mismatch({
      kind: "commands",
      file: this.#file,
      line: item.line,
      what: `${item.op.name} at index ${item.op.i}`,
      ...item.problem,
    });
  }

  /** Puts the command where the engine will read it, or checks that it is there. */
  #place(op: CommandOp, at: number, item: Waiting): void {
    const raw = bytesFromHex(op.raw);
    // The bytes of a command that was refused were overwritten before they could be recorded.
    item.refused = op.name === "INVALID" && nameOf(raw) !== "INVALID";
    if (item.refused) raw[0] = ILLEGAL_OPCODE;
    else if (nameOf(raw) !== op.name) {
      item.problem = { expected: op.name, got: `bytes of ${nameOf(raw)}` };
    }
    if (!this.#ordered || item.refused) {
      this.#memory.writeBytes(at, raw);
      return;
    }
    const there = [0, 8].map((o) => this.#memory.read(BigInt(at + o)) ?? 0n);
    if (there.join() === wordsOf(raw).join()) return;
    // A slot that was used again: its recorded bytes are those of a later command.
    const reused = item.problem !== undefined && nameOf(bytesOf(there)) === op.name;
    if (reused) item.problem = undefined;
    if (reused) return;
    item.problem ??= { expected: op.raw, got: `queue memory ${there.map((w) => w.toString(16))}` };
  }

  /** Matches what the engine just consumed with the commands that wait, in order. */
  #collect(): void {
    const { trace } = this.#smmu;
    const count = this.#smmu.traceCount();
    let item: Waiting | undefined;
    let pieces = 0;
    const queue = this.#waiting.filter((w) => !w.consumed);
    const close = () => {
      if (item?.op.ri && pieces !== item.op.ri.length && this.#smmu.compat === "qemu") {
        item.problem ??= { expected: `${item.op.ri.length} pieces`, got: `${pieces} pieces` };
      }
    };
    for (let i = 0; i < count; i++) {
      if (trace.what(i) === TRACE_KIND.COMMAND) {
        close();
        item = queue.shift();
        pieces = 0;
        if (item) this.#consume(item, trace.aux(i));
      } else if (trace.what(i) === TRACE_KIND.RANGE && item) {
        this.#checkPiece(item, pieces++, i);
      }
    }
    close();
  }

  #consume(item: Waiting, opcode: number): void {
    item.consumed = true;
    const expected = item.refused ? ILLEGAL_OPCODE : Number.parseInt(item.op.raw.slice(0, 2), 16);
    if (opcode === expected) return;
    item.problem ??= { expected: `opcode ${expected}`, got: `opcode ${opcode}` };
  }

  #checkPiece(item: Waiting, k: number, i: number): void {
    if (this.#smmu.compat !== "qemu") return;
    const row = item.op.ri?.[k];
    if (row && this.#smmu.rangePieceIs(i, row)) return;
    const got = this.#smmu.rangePiece(i).join();
    item.problem ??= { expected: `piece ${k}: ${row?.join() ?? "none"}`, got };
  }
}

/** QEMU's name of the command in these 16 bytes. */
function nameOf(raw: Uint8Array): string {
  const found = CMD.caseOf(raw[0]);
  return found ? `SMMU_${found.name}` : "INVALID";
}
