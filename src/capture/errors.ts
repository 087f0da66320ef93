// The error of an input that cannot be read: which file, where in it, and what would fix it.

/** An input that cannot be used; the command line prints it as one sentence and exits with 3. */
export class InputError extends Error {
  /** The input's name, as the user gave it or as the capture names it. */
  readonly file: string;
  /** Byte offset (binary files) or undefined. */
  readonly offset: number | undefined;
  /** 1-based line (text files) or undefined. */
  readonly line: number | undefined;

  /**
   * @param file name of the input
   * @param what what is wrong, in words
   * @param where byte offset or 1-based line, when one is known
   * @param fix what the reader can do about it
   */
  constructor(
    file: string,
    what: string,
    where: { offset?: number; line?: number } = {},
    fix?: string,
  ) {
    let place = "";
    if (where.offset !== undefined) place = ` at byte ${where.offset}`;
    if (where.line !== undefined) place = ` at line ${where.line}`;
    super(`${file}${place}: ${what}${fix ? `; ${fix}` : ""}`);
    this.name = "InputError";
    this.file = file;
    this.offset = where.offset;
    this.line = where.line;
  }
}

/** Why a file could not be read, in words. `error` is the file system's. */
export function reasonOf(error: unknown): string {
  const code = (error as { code?: string }).code;
  if (code === "ENOENT") return "no such file";
  if (code === "EISDIR") return "is a directory";
  if (code === "EACCES" || code === "EPERM") return "may not be read";
  return code === undefined ? "cannot be read" : `cannot be read (${code})`;
}
