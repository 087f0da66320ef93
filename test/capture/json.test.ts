// Exact integers in JSON, and where a syntax error is.

import { expect, test } from "vitest";
import { InputError } from "../../src/capture/errors.ts";
import { Field } from "../../src/capture/field.ts";
import { JsonError, parseJson } from "../../src/capture/json.ts";
import { parseManifest } from "../../src/capture/manifest.ts";

test("integers beyond 2^53 keep every bit", () => {
  expect(parseJson('{"a":27021597899034187,"b":[18446744073709551615,1]}')).toEqual({
    a: 27021597899034187n,
    b: [18446744073709551615n, 1],
  });
  expect(parseJson("[9007199254740991, 9007199254740992, -9007199254740993]")).toEqual([
    9007199254740991,
    9007199254740992n,
    -9007199254740993n,
  ]);
});

test("the exact parser agrees with JSON.parse on everything else", () => {
  const big = ',"big":12345678901234567890';
  const texts = [
    '{"s":"a\\n\\u0041\\"","n":-1.5e3,"t":true,"f":false,"z":null,"o":{},"l":[],"d":[[1],[2]]',
    '{"x" : [ 1 , 2 ] , "y" : { "k" : "1234567890123456" }',
  ];
  for (const text of texts) {
    const { big: n, ...rest } = parseJson(`${text}${big}}`) as Record<string, unknown>;
    expect(n).toBe(12345678901234567890n);
    expect(rest).toEqual(JSON.parse(`${text}}`));
  }
});

test.each([
  ['{"a":12345678901234567890,}', 26],
  ["[12345678901234567890", 21],
  ['{"a" 1}', 5],
  ["[1,2", 4],
  ['"abc', 0],
  ["[1] x", 4],
  ["", 0],
  ["[".repeat(300), 201],
])("%j fails at position %i", (text, position) => {
  try {
    parseJson(text);
  } catch (error) {
    expect(error).toBeInstanceOf(JsonError);
    expect((error as JsonError).position).toBe(position);
    return;
  }
  throw new Error("accepted");
});

test("a field names its path", () => {
  const root = new Field("m.json", parseJson('{"a":[{"b":"x"}]}'));
  const b = root.get("a").list()[0].get("b");
  expect(() => b.u64()).toThrow('m.json: a[0].b must be an integer, not "x"');
  expect(() => root.get("a").list()[0].get("c").text()).toThrow("a[0].c must be a string");
  expect(() => new Field("m.json", 300, "n").u32(255)).toThrow("n 300 is larger than 255");
  expect(() => new Field("m.json", "abc", "h").bytes()).toThrow("even number");
});

test("a manifest that does not fit is refused with the path of the value", () => {
  const parse = (text: string) => () => parseManifest(text, "manifest.json");
  expect(parse("{")).toThrow(InputError);
  expect(parse("{")).toThrow("manifest.json at byte 1: not JSON");
  expect(parse('{"smmu":[{"base":"a","regs":{}}]}')).toThrow("smmu[0].base must be an integer");
  expect(parse('{"smmu":{}}')).toThrow("smmu must be an array, not an object");
  expect(parse('{"pci":[{"bdf":"0000:00:01.0","requester_id":8,"vendor":1,"device":2}]}')).toThrow(
    "pci[0].config_hex must be a string, not absent",
  );
});
