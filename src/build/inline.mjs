// Compiler transform: functions whose doc comment says @inline, and all layout accessors, are
// inlined.
import { DecoratorFlags, ElementKind } from "assemblyscript";
import { Transform } from "assemblyscript/transform";

/** The comment right before a declaration. */
function docOf({ range }) {
  const before = range.source.text.slice(0, range.start).trimEnd();
  return before.endsWith("*/") ? before.slice(before.lastIndexOf("/**")) : "";
}

/** Whether a function is to be inlined wherever it is called. */
function isInline(prototype) {
  const { declaration, internalName } = prototype;
  return internalName.startsWith("assembly/layout/") || docOf(declaration).includes("@inline");
}

export default class Inline extends Transform {
  afterInitialize(program) {
    for (const file of program.filesByName.values()) {
      for (const member of file.members?.values() ?? []) {
        if (member.kind !== ElementKind.FunctionPrototype) continue;
        if (member.internalName.startsWith("assembly/") && isInline(member)) {
          member.decoratorFlags |= DecoratorFlags.Inline;
        }
      }
    }
  }

  /** Functions with one caller become part of it, however large they are. */
  afterCompile(module) {
    module.runPasses(["inlining"]);
  }
}
