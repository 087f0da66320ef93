// Finds hexadecimal words in a line: whole, split in halves, with or without 0x, labelled or bare.

/** Hexadecimal words at the end of a line and what stood before them. */
export interface WordLine {
  /** Words in the order printed. */
  readonly words: readonly bigint[];
  /** Index printed beside the first word ("word2: 0x…", "[2] 0x…"), when there is one. */
  readonly index: number | undefined;
  /**
   * Name before the colon: the device that printed the line, or undefined when nothing names one.
   */
  readonly key: string | undefined;
  /** A half word at the end whose other half may stand on the next line. */
  readonly half: bigint | undefined;
  /** Every word was printed with all its 16 digits, as kernels do. */
  readonly full: boolean;
}

const TOKEN = /^(0x)?([0-9a-f]{1,16})$/i;

interface Token {
  readonly digits: string;
  readonly prefixed: boolean;
}

const bare = (text: string): string =>
  text.replace(/^["'`([{]+|["'`,;.)\]}\\]+$/g, "").replace(/_/g, "");

function tokenOf(text: string): Token | undefined {
  const match = TOKEN.exec(bare(text));
  if (match === null) return undefined;
  const prefixed = match[1] !== undefined;
  if (!prefixed && match[2].length !== 16 && match[2].length !== 8) return undefined;
  return { digits: match[2], prefixed };
}

/** Longest run of hexadecimal tokens at the end of the text, and where it begins. */
function trailingTokens(text: string): { tokens: Token[]; start: number } {
  const tokens: Token[] = [];
  let start = text.length;
  for (const match of [...text.matchAll(/[^\s,]+/g)].reverse()) {
    const token = tokenOf(match[0]);
    if (token === undefined || tokens.length === 64) break;
    tokens.unshift(token);
    start = match.index;
  }
  return { tokens, start };
}

/** Words from tokens: "0x00000180 00000010" is one word, printed in halves. */
function join(tokens: readonly Token[]): { words: bigint[]; half: bigint | undefined } {
  const words: bigint[] = [];
  const all8 = tokens.length % 2 === 0 && tokens.every((t) => t.digits.length === 8);
  let half: bigint | undefined;
  for (let i = 0; i < tokens.length; i++) {
    const { digits, prefixed } = tokens[i];
    const next = tokens[i + 1];
    const halves = digits.length === 8 && next?.digits.length === 8;
    if (halves && (all8 || (prefixed && !next.prefixed))) {
      words.push(BigInt(`0x${digits}${next.digits}`));
      i++;
    } else if (digits.length === 8 && tokens.length === 1) {
      half = BigInt(`0x${digits}`);
    } else {
      words.push(BigInt(`0x${digits}`));
    }
  }
  return { words, half };
}

const LABEL = /^(?:w|word|dword|qword|evt|event|ste|cd|cmd|ent|data)?[[(]?(\d)[\])]?[:=]?$/i;

/** The last run of non-blank characters. */
const lastName = (text: string): string =>
  text.slice(Math.max(text.lastIndexOf(" "), text.lastIndexOf("\t")) + 1);

/** The last name before a colon: "arm-smmu-v3 fc900000.iommu:" gives "fc900000.iommu". */
export function keyOf(prefix: string): string | undefined {
  const text = prefix.trimEnd();
  if (!text.endsWith(":")) return undefined;
  const last = lastName(text.slice(0, -1));
  const name = last.slice(
    Math.max(last.lastIndexOf(";"), last.lastIndexOf("]"), last.lastIndexOf(")")) + 1,
  );
  return name === "" || name === "kernel" ? undefined : name;
}

/** A log prefix that ends in a bracket, or nothing but punctuation: no device is named. */
const isBarePrefix = (prefix: string): boolean =>
  /[\])>;]$/.test(prefix) || !/[0-9A-Za-z]/.test(prefix);

/**
 * Reads a line that ends in hexadecimal words and has nothing before them but a log prefix, a label
 * or a device name with a colon. Returns undefined for every other line.
 */
export function wordLine(text: string): WordLine | undefined {
  const trimmed = text.trimEnd();
  const { tokens, start } = trailingTokens(trimmed);
  if (tokens.length === 0) return undefined;
  const prefix = trimmed.slice(0, start).trimEnd();
  const { words, half } = join(tokens);
  const full = tokens.every((t) => t.digits.length === 16 || t.digits.length === 8);
  const lone = lastName(prefix);
  const label = LABEL.exec(lone);
  if (label !== null) {
    const before = prefix.slice(0, prefix.length - lone.length).trimEnd();
    return { words, half, full, index: Number(label[1]), key: keyOf(before) };
  }
  if (prefix.endsWith(":") || isBarePrefix(prefix))
    return { words, half, full, index: undefined, key: keyOf(prefix) };
  return undefined;
}

/** Hexadecimal words that follow directly at the start of the text, as after "received:". */
export function leadingWords(text: string): { words: readonly bigint[]; half: bigint | undefined } {
  const tokens: Token[] = [];
  for (const match of text.matchAll(/[^\s,]+/g)) {
    const token = tokenOf(match[0]);
    if (token === undefined || tokens.length === 64) break;
    tokens.push(token);
  }
  return join(tokens);
}
