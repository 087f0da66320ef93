// The parts of AssemblyScript's syntax tree that the engine's sources use.

/** A node; which members it has depends on its kind. */
export interface Node {
  readonly kind: number;
  readonly text: string;
  readonly name: Node;
  readonly identifier: Node;
  readonly typeName: Node;
  readonly type: Node | null;
  readonly initializer: Node | null;
  readonly declarations: readonly Node[];
  readonly foreignName: Node;
  readonly localName: Node;
  readonly exportedName: Node;
  readonly members: readonly Node[] | null;
  readonly internalPath: string | null;
  readonly signature: Node;
  readonly parameters: readonly Node[];
  readonly returnType: Node;
  readonly body: Node;
  readonly statements: readonly Node[];
  readonly expression: Node;
  readonly property: Node;
  readonly typeArguments: readonly Node[] | null;
  readonly args: readonly Node[];
  readonly operator: number;
  readonly left: Node;
  readonly right: Node;
  readonly operand: Node;
  readonly condition: Node;
  readonly incrementor: Node | null;
  readonly ifTrue: Node;
  readonly ifFalse: Node | null;
  readonly ifThen: Node;
  readonly ifElse: Node;
  readonly cases: readonly Node[];
  readonly label: Node | null;
  readonly toType: Node;
  readonly literalKind: number;
  readonly value: Node & { toString(): string };
  readonly flags: number;
  readonly range: { toString(): string };
}

/** What the compiler package offers for parsing. */
export interface Parser {
  readonly NodeKind: Readonly<Record<string, number>> & Readonly<Record<number, string>>;
  readonly CommonFlags: { readonly Const: number; readonly Export: number };
  newOptions(): unknown;
  newProgram(options: unknown): { sources: { internalPath: string; statements: Node[] }[] };
  parse(program: unknown, text: string, path: string, isEntry: boolean): void;
  operatorTokenToString(token: number): string;
}

/** The parser of the compiler that also builds the module. */
export async function loadParser(): Promise<Parser> {
  return (await import("assemblyscript")) as unknown as Parser;
}
