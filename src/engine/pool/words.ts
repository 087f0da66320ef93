// Members of shared records by their place among the 32-bit words of linear memory.
import { offsetOf, type RecordLayout } from "../../spec/abi.ts";

/** Number of the word that holds a 32-bit member of the record at linear address `base`. */
export function wordAt<N extends string>(
  layout: RecordLayout<N>,
  base: number,
  name: N,
  index = 0,
): number {
  return (base + offsetOf(layout, name, index)) / 4;
}
