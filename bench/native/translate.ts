// Translates the engine's sources to C: the same algorithm for a native compiler, line by line.
import type { Node, Parser } from "./ast.ts";
import { type Callable, Expressions, type Scope } from "./expression.ts";
import { convert, type Scalar, scalarOf, type Typed } from "./scalar.ts";

/** A source file: its path without extension ("assembly/tlb") and its text. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

/** The translation, and the functions that can be called. */
export interface Translation {
  readonly code: string;
  readonly exports: readonly { readonly name: string; readonly callable: Callable }[];
}

const cName = (path: string, name: string): string =>
  `${path.replace("assembly/", "").replaceAll(/[^A-Za-z0-9]/g, "_")}__${name}`;

/** Everything that one file declares or imports. */
class Module {
  readonly imports = new Map<string, { path: string; name: string }>();
  readonly functions = new Map<string, { node: Node; callable: Callable }>();
  readonly variables = new Map<string, Typed>();
  readonly definitions: string[] = [];
  readonly reexports: { path: string; name: string; as: string }[] = [];
  readonly exported: string[] = [];

  constructor(readonly path: string) {}
}

/** Translates whole programs. */
export class Translator {
  private readonly modules = new Map<string, Module>();

  constructor(private readonly parser: Parser) {}

  /** Translates all files; what the files `entries` export can be called. */
  translate(sources: readonly Source[], entries: readonly string[]): Translation {
    const program = this.parser.newProgram(this.parser.newOptions());
    for (const { path, text } of sources) {
      this.parser.parse(program, text, `${path}.ts`, entries.includes(path));
    }
    const trees = sources.map(({ path }) => {
      const source = program.sources.find((s) => s.internalPath === path);
      if (!source) throw new Error(`${path} was not parsed`);
      return { module: new Module(path), statements: source.statements };
    });
    for (const { module } of trees) this.modules.set(module.path, module);
    for (const { module, statements } of trees) {
      for (const statement of statements) this.declare(module, statement);
    }
    for (const { module, statements } of trees) {
      for (const d of this.variablesOf(statements)) {
        const code = cName(module.path, d.name.text);
        module.variables.set(d.name.text, { code, type: this.typeOf(d.type) });
      }
    }
    for (const { module, statements } of trees) {
      for (const d of this.variablesOf(statements)) this.defineVariable(module, d);
    }
    const all = [...this.modules.values()];
    const functions = all.flatMap((m) => [...m.functions.values()].map((f) => ({ m, ...f })));
    const code = [
      ...all.flatMap((m) => m.definitions),
      ...functions.map(({ node, callable }) => `${this.head(node, callable)};`),
      ...functions.map(({ m, node, callable }) => this.body(m, node, callable)),
    ];
    return { code: code.join("\n"), exports: entries.flatMap((entry) => this.exportsOf(entry)) };
  }

  private kind(node: Node): string {
    return this.parser.NodeKind[node.kind];
  }

  private declare(module: Module, node: Node): void {
    switch (this.kind(node)) {
      case "Import":
        for (const d of node.declarations) {
          const path = node.internalPath ?? "";
          module.imports.set(d.name.text, { path, name: d.foreignName.text });
        }
        break;
      case "Export":
        for (const m of node.members ?? []) {
          const path = node.internalPath ?? module.path;
          module.reexports.push({ path, name: m.localName.text, as: m.exportedName.text });
        }
        break;
      case "FunctionDeclaration": {
        const callable = {
          name: cName(module.path, node.name.text),
          parameters: node.signature.parameters.map((p) => this.typeOf(p.type)),
          result: this.typeOf(node.signature.returnType),
        };
        module.functions.set(node.name.text, { node, callable });
        if (node.flags & this.parser.CommonFlags.Export) module.exported.push(node.name.text);
        break;
      }
      case "Variable":
        break;
      default:
        throw new Error(`${node.range}: ${this.kind(node)} is not translated`);
    }
  }

  private typeOf(node: Node | null): Scalar {
    if (!node) throw new Error("a type is missing");
    return scalarOf(node.name.identifier.text);
  }

  private variablesOf(statements: readonly Node[]): readonly Node[] {
    return statements.flatMap((s) => (this.kind(s) === "Variable" ? s.declarations : []));
  }

  /** Constants become macros and variables statics. */
  private defineVariable(module: Module, d: Node): void {
    const { code, type } = module.variables.get(d.name.text) as Typed;
    const expressions = new Expressions(this.parser, this.scopeOf(module, []));
    const value = d.initializer ? expressions.as(d.initializer, type) : "0";
    if (d.flags & this.parser.CommonFlags.Const) {
      module.definitions.push(`#define ${code} ((${type})${value})`);
    } else {
      module.definitions.push(`static ${type} ${code} = ${value};`);
    }
  }

  /** Names as a function sees them: its own, the file's, then what the file imports. */
  private scopeOf(module: Module, locals: readonly Map<string, Typed>[]): Scope {
    const imported = (name: string) => {
      const found = module.imports.get(name);
      return found && { module: this.modules.get(found.path), name: found.name };
    };
    return {
      variable: (name) => {
        const local = locals.findLast((scope) => scope.has(name))?.get(name);
        if (local) return local;
        const own = module.variables.get(name);
        if (own) return own;
        const other = imported(name);
        return other?.module?.variables.get(other.name);
      },
      callable: (name) => {
        const own = module.functions.get(name);
        if (own) return own.callable;
        const other = imported(name);
        return other?.module?.functions.get(other.name)?.callable;
      },
    };
  }

  private head(node: Node, callable: Callable): string {
    const names = node.signature.parameters.map((p) => p.name.text);
    const list = callable.parameters.map((type, i) => `${type} ${local(names[i])}`).join(", ");
    return `static ${callable.result} ${callable.name}(${list || "void"})`;
  }

  private body(module: Module, node: Node, callable: Callable): string {
    const parameters = new Map<string, Typed>();
    node.signature.parameters.forEach((p, i) => {
      parameters.set(p.name.text, { code: local(p.name.text), type: callable.parameters[i] });
    });
    const scopes = [parameters];
    const expressions = new Expressions(this.parser, this.scopeOf(module, scopes));
    const writer = new Statements(this.parser, expressions, scopes, callable.result);
    return `${this.head(node, callable)} ${writer.statement(node.body)}`;
  }

  private exportsOf(entry: string): Translation["exports"] {
    const module = this.modules.get(entry);
    if (!module) throw new Error(`no ${entry}`);
    const own = module.exported.map((name) => ({ path: entry, name, as: name }));
    return [...own, ...module.reexports].map(({ path, name, as }) => {
      const found = this.modules.get(path)?.functions.get(name);
      if (!found) throw new Error(`${entry} exports ${name}, which is no function of ${path}`);
      return { name: as, callable: found.callable };
    });
  }
}

/** Names of locals; some of them are words of C. */
const local = (name: string): string => `${name}_`;

/** Translates the statements of one function. */
class Statements {
  constructor(
    private readonly parser: Parser,
    private readonly expressions: Expressions,
    private readonly scopes: Map<string, Typed>[],
    private readonly result: Scalar,
  ) {}

  private scoped(write: () => string): string {
    this.scopes.push(new Map());
    const text = write();
    this.scopes.pop();
    return text;
  }

  statement(node: Node): string {
    switch (this.parser.NodeKind[node.kind]) {
      case "Block":
        return this.scoped(
          () => `{\n${node.statements.map((s) => this.statement(s)).join("\n")}\n}`,
        );
      case "Variable":
        return node.declarations.map((d) => this.variable(d)).join(" ");
      case "Expression":
        return `${this.expressions.typed(node.expression, undefined).code};`;
      case "Return":
        return node.value ? `return ${this.expressions.as(node.value, this.result)};` : "return;";
      case "If": {
        const rest = node.ifFalse ? ` else ${this.statement(node.ifFalse)}` : "";
        const condition = this.expressions.condition(node.condition);
        return `if (${condition}) ${this.statement(node.ifTrue)}${rest}`;
      }
      case "For":
        return this.scoped(() => this.loop(node));
      case "While":
        return `while (${this.expressions.condition(node.condition)}) ${this.statement(node.body)}`;
      case "Do":
        return this.scoped(() => {
          const condition = this.expressions.condition(node.condition);
          return `do ${this.statement(node.body)} while (${condition});`;
        });
      case "Break":
        return "break;";
      case "Continue":
        return "continue;";
      case "Empty":
        return ";";
      case "Switch":
        return this.choice(node);
      default:
        throw new Error(`${node.range}: ${this.parser.NodeKind[node.kind]} is not translated`);
    }
  }

  private variable(d: Node): string {
    const declared = d.type ? scalarOf(d.type.name.identifier.text) : undefined;
    const value = d.initializer ? this.expressions.typed(d.initializer, declared) : undefined;
    const type = declared ?? value?.type;
    if (!type) throw new Error(`${d.range}: no type`);
    this.scopes.at(-1)?.set(d.name.text, { code: local(d.name.text), type });
    const start = value ? ` = ${convert(value, type)}` : " = 0";
    return `${type} ${local(d.name.text)}${start};`;
  }

  private loop(node: Node): string {
    const start = node.initializer ? this.statement(node.initializer) : ";";
    const condition = node.condition ? this.expressions.condition(node.condition) : "1";
    const next = node.incrementor ? this.expressions.typed(node.incrementor, undefined).code : "";
    return `{ ${start} for (; ${condition}; ${next}) ${this.statement(node.body)} }`;
  }

  private choice(node: Node): string {
    const value = this.expressions.typed(node.condition, undefined);
    const cases = node.cases.map((c) => {
      const label = c.label ? `case ${this.expressions.as(c.label, value.type)}:` : "default:";
      const statements = c.statements.map((s) => this.statement(s)).join("\n");
      return `${label} ${statements ? `{ ${statements} }` : ";"}`;
    });
    return `switch (${value.code}) {\n${cases.join("\n")}\n}`;
  }
}
