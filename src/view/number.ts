// Numbers as people read them: addresses in hexadecimal, counts in groups, times with units.

/** `0x…` in lower case. */
export function hex(value: bigint | number): string {
  return `0x${value.toString(16)}`;
}

/** `0x…` with leading zeros up to `digits`. */
export function hexPadded(value: bigint | number, digits: number): string {
  return `0x${value.toString(16).padStart(digits, "0")}`;
}

/** 12,345,678 */
export function count(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** "1 vector", "2 vectors" */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** Nanoseconds with a unit that leaves three significant digits: "84 ns", "1.25 µs". */
export function duration(ns: number): string {
  if (ns < 1_000) return `${significant(ns)} ns`;
  if (ns < 1_000_000) return `${significant(ns / 1_000)} µs`;
  if (ns < 1_000_000_000) return `${significant(ns / 1_000_000)} ms`;
  return `${significant(ns / 1_000_000_000)} s`;
}

/** Bytes with a binary unit: "4 KiB", "2 MiB". */
export function byteSize(value: bigint | number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let n = Number(value);
  let unit = 0;
  while (n >= 1024 && unit < units.length - 1) {
    n /= 1024;
    unit++;
  }
  return `${significant(n)} ${units[unit]}`;
}

/** Three significant digits without an exponent. */
export function significant(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const magnitude = Math.abs(value);
  if (magnitude >= 100) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
}
