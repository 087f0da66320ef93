// Accessors of engine state records (offsets, getters, setters) for the generator.
import type { Member, RecordLayout } from "./abi.ts";
import { getterName, setterName } from "./name.ts";

const valueType = (m: Member): string => (m.bytes < 4 ? "u32" : m.type);

function accessors(layout: RecordLayout, m: Member): string {
  const indexed = m.count > 1;
  const index = indexed ? ", i: u32" : "";
  const place = indexed ? `p + i * ${m.bytes}` : "p";
  const type = valueType(m);
  const getter = getterName(layout.name, m.name);
  const setter = setterName(layout.name, m.name);
  const value = m.bytes < 4 ? `v as ${m.type}` : "v";
  return (
    `export const ${layout.name}_${m.name}: usize = ${m.offset};\n` +
    `export function ${getter}(p: usize${index}): ${type} {\n` +
    `  return load<${m.type}>(${place}, ${m.offset});\n}\n` +
    `export function ${setter}(p: usize${index}, v: ${type}): void {\n` +
    `  store<${m.type}>(${place}, ${value}, ${m.offset});\n}\n`
  );
}

/** Text of the accessors of one record. */
export function emitRecord(layout: RecordLayout): string[] {
  const members = Object.values<Member>(layout.members);
  return [
    `export const ${layout.name}_BYTES: usize = ${layout.bytes};\n`,
    ...members.map((m) => accessors(layout, m)),
  ];
}
