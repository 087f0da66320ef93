// Expressions of the engine's language in C, typed as the compiler types them.
import type { Node, Parser } from "./ast.ts";
import { builtinCall } from "./builtin.ts";
import {
  bitsOf,
  commonType,
  convert,
  literal,
  type Scalar,
  scalarOf,
  type Typed,
} from "./scalar.ts";

/** A function that can be called: its name in C, parameters and result. */
export interface Callable {
  readonly name: string;
  readonly parameters: readonly Scalar[];
  readonly result: Scalar;
}

/** What names mean in a place. */
export interface Scope {
  variable(name: string): Typed | undefined;
  callable(name: string): Callable | undefined;
}

const COMPARISONS = new Set(["==", "!=", "===", "!==", "<", ">", "<=", ">="]);
const SHIFTS = new Set(["<<", ">>", ">>>"]);
/** Operators that both languages have. */
const ARITHMETIC = new Set(["+", "-", "*", "/", "%", "&", "|", "^"]);

/** Translates the expressions of one function. */
export class Expressions {
  constructor(
    private readonly parser: Parser,
    private readonly scope: Scope,
  ) {}

  /** The expression as a value of `type`. */
  as(node: Node, type: Scalar): string {
    return convert(this.typed(node, type), type);
  }

  /** The expression as a condition. */
  condition(node: Node): string {
    return this.typed(node, undefined).code;
  }

  /** The expression with its type; literals take `wanted` where they can. */
  typed(node: Node, wanted: Scalar | undefined): Typed {
    switch (this.parser.NodeKind[node.kind]) {
      case "Parenthesized": {
        const inner = this.typed(node.expression, wanted);
        return { code: `(${inner.code})`, type: inner.type };
      }
      case "Literal":
        return literal(BigInt(node.value.toString()), wanted);
      case "Identifier":
      case "True":
      case "False":
        return this.named(node.text);
      case "Assertion": {
        const type = scalarOf(node.toType.name.identifier.text);
        return { code: this.as(node.expression, type), type };
      }
      case "PropertyAccess":
        return this.largest(node);
      case "UnaryPrefix":
      case "UnaryPostfix":
        return this.unary(node, wanted);
      case "Binary":
        return this.binary(node, wanted);
      case "Ternary":
        return this.ternary(node, wanted);
      case "Call":
        return this.call(node);
      default:
        throw new Error(`${node.range}: ${this.parser.NodeKind[node.kind]} is not translated`);
    }
  }

  private named(name: string): Typed {
    if (name === "true" || name === "false") return { code: name, type: "bool" };
    const found = this.scope.variable(name);
    if (!found) throw new Error(`no variable ${name}`);
    return found;
  }

  /** `u32.MAX_VALUE` and its like. */
  private largest(node: Node): Typed {
    const type = scalarOf(node.expression.text);
    if (node.property.text !== "MAX_VALUE" || !type.startsWith("u")) {
      throw new Error(`${node.range}: not translated`);
    }
    return literal((1n << BigInt(bitsOf(type))) - 1n, type);
  }

  private unary(node: Node, wanted: Scalar | undefined): Typed {
    const operator = this.parser.operatorTokenToString(node.operator);
    const operand = this.typed(node.operand, wanted);
    switch (operator) {
      case "!":
        return { code: `!(${operand.code})`, type: "bool" };
      case "postfix_inc":
      case "prefix_inc":
      case "++":
        return { code: `${operand.code}++`, type: operand.type };
      case "postfix_dec":
      case "prefix_dec":
      case "--":
        return { code: `${operand.code}--`, type: operand.type };
      case "-":
      case "~":
        return { code: `((${operand.type})${operator}(${operand.code}))`, type: operand.type };
      default:
        throw new Error(`${node.range}: operator ${operator} is not translated`);
    }
  }

  private binary(node: Node, wanted: Scalar | undefined): Typed {
    const operator = this.parser.operatorTokenToString(node.operator);
    if (operator === "&&" || operator === "||") {
      const code = `((${this.condition(node.left)}) ${operator} (${this.condition(node.right)}))`;
      return { code, type: "bool" };
    }
    if (COMPARISONS.has(operator)) return this.comparison(node, operator.slice(0, 2));
    if (operator === "=") {
      const target = this.typed(node.left, undefined);
      return { code: `${target.code} = ${this.as(node.right, target.type)}`, type: target.type };
    }
    if (operator.endsWith("=")) {
      const target = this.typed(node.left, undefined);
      const value = this.operation(operator.slice(0, -1), target, node.right);
      return { code: `${target.code} = ${convert(value, target.type)}`, type: target.type };
    }
    return this.operation(operator, this.typed(node.left, wanted), node.right);
  }

  private comparison(node: Node, operator: string): Typed {
    const left = this.typed(node.left, undefined);
    const right = this.typed(node.right, left.type);
    const type = commonType(left.type, right.type);
    return { code: `(${convert(left, type)} ${operator} ${convert(right, type)})`, type: "bool" };
  }

  private operation(operator: string, left: Typed, rightNode: Node): Typed {
    const right = this.typed(rightNode, left.type);
    if (SHIFTS.has(operator)) {
      const { type } = left;
      const count = `(${convert(right, type)} & ${bitsOf(type) - 1})`;
      return { code: `((${type})(${left.code} ${operator.slice(0, 2)} ${count}))`, type };
    }
    if (!ARITHMETIC.has(operator)) {
      throw new Error(`${rightNode.range}: operator ${operator} is not translated`);
    }
    const type = commonType(left.type, right.type);
    const code = `((${type})(${convert(left, type)} ${operator} ${convert(right, type)}))`;
    return { code, type };
  }

  private ternary(node: Node, wanted: Scalar | undefined): Typed {
    const first = this.typed(node.ifThen, wanted);
    const second = this.typed(node.ifElse, wanted ?? first.type);
    const type = commonType(first.type, second.type);
    const condition = this.condition(node.condition);
    return { code: `((${condition}) ? ${convert(first, type)} : ${convert(second, type)})`, type };
  }

  private call(node: Node): Typed {
    const callee = node.expression;
    const isProperty = this.parser.NodeKind[callee.kind] === "PropertyAccess";
    const name = isProperty ? `${callee.expression.text}.${callee.property.text}` : callee.text;
    const own = this.scope.callable(name);
    if (own) {
      const args = own.parameters.map((type, i) => this.as(node.args[i], type));
      return { code: `${own.name}(${args.join(", ")})`, type: own.result };
    }
    const typeName = node.typeArguments?.[0]?.name.identifier.text;
    const argument = (i: number, type?: Scalar) => this.typed(node.args[i], type);
    const built = builtinCall(name, typeName, node.args.length, argument);
    if (built) return built;
    const type = scalarOf(name);
    return { code: this.as(node.args[0], type), type };
  }
}
