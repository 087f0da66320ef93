// Words out of a dump: hexdump, xxd, QEMU's xp, U-Boot's md, byte strings, or plain numbers.

/** Digits of a token that may be a hexadecimal number, or undefined. */
function digitsOf(token: string): string | undefined {
  return /^(?:0x)?([0-9a-f_]{1,256})$/i.exec(token)?.[1].replace(/_/g, "").toLowerCase();
}

const reverseBytes = (digits: string): string => (digits.match(/../g) ?? []).reverse().join("");

/** 64-bit words of a string of bytes in memory order. */
function wordsOfBytes(digits: string): bigint[] {
  return (digits.match(/.{1,16}/g) ?? []).map((part) => BigInt(`0x${reverseBytes(part)}`));
}

/** Bytes of a "hexdump -C" or "xxd" line, without offset and text columns. */
function hexdumpBytes(line: string): string | undefined {
  const m = /^\s{0,8}[0-9a-f]{4,16}:?\s{1,4}((?:[0-9a-f]{2}\s{1,3}){3,15}[0-9a-f]{2})\b/i.exec(
    line,
  );
  if (m !== null) return m[1].replace(/\s+/g, "");
  const xxd = /^\s{0,8}[0-9a-f]{4,16}:\s((?:[0-9a-f]{4}\s){1,7}[0-9a-f]{4})\s{1,4}/i.exec(line);
  return xxd?.[1].replace(/\s+/g, "");
}

/** What stands before the numbers of a line: an address with a colon, a log prefix, a label. */
function withoutPrefix(line: string): string {
  const colon = line.lastIndexOf(": ") >= 0 ? line.lastIndexOf(": ") : line.lastIndexOf(":\t");
  return colon < 0 ? line : line.slice(colon + 1);
}

/** Numbers at the start of a text; anything else ends them, as the text column of a dump does. */
function numbersOf(text: string): string[] {
  const found: string[] = [];
  for (const token of text.trim().split(/[\s,]+/)) {
    if (/^[[\](){};,]+$/.test(token)) continue;
    const digits = digitsOf(token.replace(/^["'([{]+|["')\]};]+$/g, ""));
    if (digits === undefined || (digits.length > 16 && digits.length % 16 !== 0)) break;
    found.push(digits);
  }
  return found;
}

/** 32-bit numbers as a dump prints them, low half first. */
function pair(halves: readonly string[]): bigint[] {
  const words: bigint[] = [];
  for (let i = 0; i < halves.length; i += 2)
    words.push(BigInt(`0x${halves[i + 1] ?? "0"}${halves[i].padStart(8, "0")}`));
  return words;
}

/**
 * Reads 64-bit words from text that is nothing but a dump of one structure. Two 32-bit numbers make
 * a word when every number has eight digits and an address stands before them, as dumps of memory
 * do.
 */
export function dumpWords(text: string): bigint[] {
  const words: bigint[] = [];
  const halves: string[] = [];
  let bytes = "";
  for (const line of text.split(/\r\n|\n|\r/)) {
    const dumped = hexdumpBytes(line);
    if (dumped !== undefined) {
      bytes += dumped;
      continue;
    }
    const rest = withoutPrefix(line);
    const numbers = numbersOf(rest);
    const addressed =
      rest !== line && /[0-9a-f]{4,16}:\s*$/i.test(line.slice(0, line.length - rest.length));
    if (addressed && numbers.length > 1 && numbers.every((n) => n.length === 8))
      halves.push(...numbers);
    else
      for (const n of numbers)
        words.push(...(n.length > 16 ? wordsOfBytes(n) : [BigInt(`0x${n}`)]));
  }
  return [...words, ...pair(halves), ...wordsOfBytes(bytes)];
}
