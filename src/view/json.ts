// JSON output: bigints are addresses or registers and print as "0x…" strings.

/**
 * Formats a value as indented JSON.
 * Bigints become `0x…` strings; undefined members are left out, so a shape must use null.
 */
export function toJson(value: unknown): string {
  const replacer = (_key: string, v: unknown) =>
    typeof v === "bigint" ? `0x${v.toString(16)}` : v;
  return JSON.stringify(value, replacer, 2);
}
