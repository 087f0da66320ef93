// An asc transform for coverage: each statement first sets a bit of its own in an imported global.
//
// The bits are in globals, not in linear memory: memory holds what it holds in the release module,
// all instances of a process share one set of globals, and nothing has to be placed.
import { NodeKind, Parser, SourceKind } from "assemblyscript";

/** The module name of the imported globals; each is named `<file>:<index of the word>`. */
export const COUNTERS = "coverage";
/** Statements that share one i32 global. */
export const WORD_BITS = 32;

/** Statements that execute nothing themselves. */
const SILENT = [NodeKind.Block, NodeKind.Empty];

/** Parses text to statements that count as a part of the file at `path`. */
function parse(text, path) {
  const parser = new Parser([], []);
  parser.parseFile(text, path, false);
  return parser.sources[0].statements;
}

/** Where the part of a statement ends that belongs to no statement inside it. */
function headEnd(node) {
  switch (node.kind) {
    case NodeKind.If:
    case NodeKind.While:
    case NodeKind.Switch:
      return node.condition.range.end;
    case NodeKind.For: {
      const parts = [node.incrementor, node.condition, node.initializer];
      return parts.find((part) => part != null)?.range.end ?? node.range.start + "for".length;
    }
    case NodeKind.Do:
      return node.range.start + "do".length;
    default:
      return node.range.end;
  }
}

/** Line and column, both from 1, of the two ends of a statement's own part. */
function placeOf(node) {
  const { source, start } = node.range;
  const place = (at) => [source.lineAt(at), source.columnAt()];
  return [...place(start), ...place(headEnd(node))];
}

/** One source file while points are put into it. */
class SourcePoints {
  places = [];

  constructor(source) {
    this.source = source;
    this.path = source.normalizedPath;
  }

  /** The statement that marks `node` as reached. */
  #point(node) {
    const id = this.places.push(placeOf(node)) - 1;
    const word = Math.floor(id / WORD_BITS);
    return parse(`${COUNTERS}${word} |= 1 << ${id % WORD_BITS};`, this.path)[0];
  }

  /** The same statements, each behind its point. */
  #list(statements) {
    return statements.flatMap((node) => {
      if (SILENT.includes(node.kind)) {
        this.#inside(node);
        return [node];
      }
      const point = this.#point(node);
      this.#inside(node);
      return [point, node];
    });
  }

  /** A branch or loop body as a block that can hold points. */
  #body(node) {
    if (node.kind === NodeKind.Block) {
      this.#inside(node);
      return node;
    }
    const [block] = parse("{}", this.path);
    block.range = node.range;
    block.statements = this.#list([node]);
    return block;
  }

  /** Puts points into what a statement contains. */
  #inside(node) {
    switch (node.kind) {
      case NodeKind.Block:
        node.statements = this.#list(node.statements);
        break;
      case NodeKind.If:
        node.ifTrue = this.#body(node.ifTrue);
        if (node.ifFalse) node.ifFalse = this.#body(node.ifFalse);
        break;
      case NodeKind.For:
      case NodeKind.While:
      case NodeKind.Do:
        node.body = this.#body(node.body);
        break;
      case NodeKind.Switch:
        for (const one of node.cases) one.statements = this.#list(one.statements);
        break;
    }
  }

  /** Puts points into every function of the file and declares their globals. */
  instrument() {
    for (const node of this.source.statements) {
      if (node.kind === NodeKind.FunctionDeclaration && node.body)
        node.body = this.#body(node.body);
    }
    const words = Math.ceil(this.places.length / WORD_BITS);
    for (let word = 0; word < words; word++) {
      const name = `${this.path}:${word}`;
      const text = `@external("${COUNTERS}", "${name}") declare let ${COUNTERS}${word}: i32;`;
      this.source.statements.unshift(...parse(text, this.path));
    }
  }
}

/** The transform. `files` holds, once it has run, the places of the points by file. */
export default class Coverage {
  files = {};

  /** Files that it leaves alone: the standard library and the generated accessors. */
  #skips(source) {
    const { normalizedPath: path, sourceKind } = source;
    return sourceKind >= SourceKind.Library || path.includes("/layout/");
  }

  afterParse(parser) {
    for (const source of parser.sources) {
      if (this.#skips(source)) continue;
      const points = new SourcePoints(source);
      points.instrument();
      if (points.places.length > 0) this.files[source.normalizedPath] = points.places;
    }
  }
}
