// Reads a scenario file, YAML or JSON, and names the line and the path of what does not fit.
import { type Document, isMap, isNode, isSeq, LineCounter, parseDocument } from "yaml";
import type { Scenario } from "./types.ts";
import { type PathPart, pathText, validateScenario } from "./validate.ts";

/** A scenario file that cannot be used. */
export class ScenarioFileError extends Error {
  override readonly name = "ScenarioFileError";

  constructor(
    readonly what: string,
    /** 1-based line. */
    readonly line: number,
  ) {
    super(`line ${line}: ${what}`);
  }
}

const BYTES_MAX = 1 << 20;
/** Aliases that one document may expand to. */
const ALIASES_MAX = 1000;

/**
 * Parses and checks a scenario.
 * @throws ScenarioFileError naming the line and the path
 */
export function parseScenario(text: string): Scenario {
  if (text.length > BYTES_MAX) throw new ScenarioFileError("a scenario has at most 1 MiB", 1);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, intAsBigInt: true });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line } = lines.linePos(error.pos[0]);
    const [what] = error.message.split(/ at line |\n/);
    throw new ScenarioFileError(what, line);
  }
  const value = plain(document);
  const problem = validateScenario(value);
  if (problem === undefined) return value as Scenario;
  const line = lineOf(document, lines, problem.path);
  throw new ScenarioFileError(`${pathText(problem.path)} ${problem.text}`, line);
}

/** The document as plain values. */
function plain(document: Document): unknown {
  try {
    return narrow(document.toJS({ maxAliasCount: ALIASES_MAX }));
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new ScenarioFileError(error.message, 1);
  }
}

/** Integers that fit become numbers; larger ones stay bigints. */
function narrow(value: unknown): unknown {
  if (typeof value === "bigint")
    return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
      ? Number(value)
      : value;
  if (Array.isArray(value)) return value.map(narrow);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, narrow(v)]));
}

/** Line of the value at a path, or of the nearest one around it that the file has. */
function lineOf(document: Document, lines: LineCounter, path: readonly PathPart[]): number {
  for (let length = path.length; length > 0; length--) {
    const parent = document.getIn(path.slice(0, length - 1), true);
    const last = path[length - 1];
    const node = isMap(parent)
      ? parent.items.find(({ key }) => isNode(key) && String(key) === String(last))?.key
      : isSeq(parent)
        ? parent.items[Number(last)]
        : undefined;
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  const { contents } = document;
  return isNode(contents) && contents.range ? lines.linePos(contents.range[0]).line : 1;
}
