// The globals that a coverage module imports, and their values.

/** The module name that the coverage build gives its imports. */
const MODULE = "coverage";

/** One set of globals, shared by all instances that are made through it. */
export class Counters {
  readonly #globals: Record<string, WebAssembly.Global> = {};
  readonly #instantiate = WebAssembly.instantiate;

  /** From now on instances of coverage modules count here. */
  attach(): void {
    const instantiate = async (module: WebAssembly.Module, imports: WebAssembly.Imports) =>
      await this.#instantiate(module, { ...imports, [MODULE]: this.#importsOf(module) });
    WebAssembly.instantiate = instantiate as typeof WebAssembly.instantiate;
  }

  /** Back to how it was. */
  detach(): void {
    WebAssembly.instantiate = this.#instantiate;
  }

  #importsOf(module: WebAssembly.Module): Record<string, WebAssembly.Global> {
    for (const { module: from, name } of WebAssembly.Module.imports(module)) {
      if (from !== MODULE) continue;
      this.#globals[name] ??= new WebAssembly.Global({ value: "i32", mutable: true }, 0);
    }
    return this.#globals;
  }

  /** Bits of the statements that ran, by `<file>:<word>`. */
  words(): Record<string, number> {
    return Object.fromEntries(Object.entries(this.#globals).map(([k, g]) => [k, g.value]));
  }
}
