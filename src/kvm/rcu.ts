// RCU read sections as the VMM counts them: a depth that must return to zero.

/** Read sections of one thread. Both calls throw when the count would be wrong. */
export class RcuReader {
  private sections = 0;

  /** How many sections are open. */
  get depth(): number {
    return this.sections;
  }

  /** Opens a section; sections nest. */
  lock(): void {
    this.sections++;
  }

  /** Closes the innermost section. Throws when none is open. */
  unlock(): void {
    if (this.sections === 0) throw new Error("RCU read section left without being entered");
    this.sections--;
  }
}
