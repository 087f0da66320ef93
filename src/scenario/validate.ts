// Checks a value against the schema of scenarios and says where it does not fit, in plain words.
import { SCENARIO_SCHEMA, type Schema } from "./schema.ts";

/** One step of a path: a member's name or an element's index. */
export type PathPart = string | number;

/** What is wrong, and where. */
export interface Problem {
  readonly path: readonly PathPart[];
  readonly text: string;
}

/** "cases[0].steps[3].map.iova"; "the document" for the whole. */
export function pathText(path: readonly PathPart[]): string {
  const text = path.map((p) => (typeof p === "number" ? `[${p}]` : `.${p}`)).join("");
  return text.replace(/^\./, "") || "the document";
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === "object" && !Array.isArray(value);

const isInteger = (value: unknown): value is number | bigint =>
  typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value));

function nameOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return "an object";
  return typeof value === "string" ? JSON.stringify(value.slice(0, 40)) : String(value);
}

const ARTICLES = { object: "an object", array: "an array", string: "a text" } as const;

/** First problem of a value, or undefined when it fits. */
export function validateScenario(value: unknown): Problem | undefined {
  return check(SCENARIO_SCHEMA, value, []);
}

function resolve(schema: Schema): Schema {
  const name = /^#\/\$defs\/(\w+)$/.exec(schema.$ref ?? "")?.[1];
  return name === undefined ? schema : (SCENARIO_SCHEMA.$defs?.[name] ?? {});
}

function check(ref: Schema, value: unknown, path: readonly PathPart[]): Problem | undefined {
  const schema = resolve(ref);
  const problem = (text: string): Problem => ({ path, text });
  if (schema.enum !== undefined && !schema.enum.some((one) => sameScalar(one, value)))
    return problem(`must be ${schema.enum.join(" or ")}, not ${nameOf(value)}`);
  if (schema.anyOf !== undefined) {
    const problems = schema.anyOf.map((one) => check(one, value, path));
    if (!problems.includes(undefined)) return problem(alternatives(schema, value));
  }
  switch (schema.type) {
    case "object":
      return isObject(value) ? checkObject(schema, value, path) : problem(notA("object", value));
    case "array":
      return Array.isArray(value) ? checkArray(schema, value, path) : problem(notA("array", value));
    case "string":
      if (typeof value !== "string") return problem(notA("string", value));
      if (schema.pattern !== undefined && !new RegExp(schema.pattern).test(value))
        return problem(`${nameOf(value)} does not match ${schema.pattern}`);
      return undefined;
    case "integer":
      return checkInteger(schema, value, path);
    case "boolean":
      return typeof value === "boolean"
        ? undefined
        : problem(`must be true or false, not ${nameOf(value)}`);
    default:
      return undefined;
  }
}

const notA = (type: keyof typeof ARTICLES, value: unknown): string =>
  `must be ${ARTICLES[type]}, not ${nameOf(value)}`;

const sameScalar = (a: string | number, b: unknown): boolean =>
  typeof a === "number" ? isInteger(b) && BigInt(a) === BigInt(b) : a === b;

function alternatives(schema: Schema, value: unknown): string {
  const kinds = (schema.anyOf ?? []).map((one) => {
    if (one.enum !== undefined) return one.enum.join(" or ");
    return one.type === "integer" ? "a number" : 'a text like "0x1000"';
  });
  return `must be ${kinds.join(" or ")}, not ${nameOf(value)}`;
}

function checkInteger(
  schema: Schema,
  value: unknown,
  path: readonly PathPart[],
): Problem | undefined {
  if (!isInteger(value)) return { path, text: `must be an integer, not ${nameOf(value)}` };
  const { minimum, maximum } = schema;
  if (minimum !== undefined && value < minimum)
    return { path, text: `${value} is less than ${minimum}` };
  if (maximum !== undefined && value > maximum)
    return { path, text: `${value} is more than ${maximum}` };
  return undefined;
}

function checkArray(
  schema: Schema,
  value: readonly unknown[],
  path: readonly PathPart[],
): Problem | undefined {
  const { minItems = 0, maxItems = Number.POSITIVE_INFINITY, items } = schema;
  if (value.length < minItems || value.length > maxItems)
    return { path, text: `has ${value.length} elements` };
  if (items === undefined) return undefined;
  for (const [i, element] of value.entries()) {
    const problem = check(items, element, [...path, i]);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function checkObject(
  schema: Schema,
  value: Record<string, unknown>,
  path: readonly PathPart[],
): Problem | undefined {
  for (const name of schema.required ?? [])
    if (!Object.hasOwn(value, name)) return { path, text: `has no ${name}` };
  for (const [name, member] of Object.entries(value)) {
    const at = [...path, name];
    const own = schema.properties;
    const known = own && Object.hasOwn(own, name) ? own[name] : undefined;
    const extra = schema.additionalProperties;
    if (known === undefined && (extra === false || extra === undefined))
      return { path: at, text: `is not known here${suggestion(name, Object.keys(own ?? {}))}` };
    const rule = known ?? (typeof extra === "object" ? extra : {});
    const problem = check(rule, member, at);
    if (problem !== undefined) return problem;
  }
  return schema.oneOf === undefined ? undefined : checkOneOf(schema, value, path);
}

/** Exactly one of the members that the alternatives name. */
function checkOneOf(
  schema: Schema,
  value: Record<string, unknown>,
  path: readonly PathPart[],
): Problem | undefined {
  const names = (schema.oneOf ?? []).flatMap(({ required = [] }) => required);
  const found = names.filter((name) => Object.hasOwn(value, name));
  if (found.length === 1) return undefined;
  if (found.length === 0) return { path, text: `needs one of ${names.join(", ")}` };
  return { path, text: `has ${found.join(" and ")}: only one action fits into a step` };
}

function suggestion(name: string, known: readonly string[]): string {
  const near = known.find((k) => k.startsWith(name.slice(0, 3)) || name.startsWith(k.slice(0, 3)));
  return near === undefined ? "" : `; did you mean ${near}?`;
}
