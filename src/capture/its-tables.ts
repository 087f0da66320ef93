// Where an ITS keeps its tables: addresses of entries, as GITS_BASER<n> has them (IHI0069 5.2).

import { GITS_BASER } from "../spec/its-register.ts";
import { L1_TABLE_ENTRY } from "../spec/its-table.ts";
import { getField, readField } from "../spec/word.ts";
import type { ReadWord } from "./tables.ts";

const PAGE_BYTES = [4096, 16384, 65536, 65536];
const ENTRY_BYTES = 8;
const BASERS = 8;

/** One table of the ITS. */
export interface ItsTable {
  base: number;
  /** Bytes of the (level 1) table. */
  bytes: number;
  pageBytes: number;
  indirect: boolean;
}

/** The table of a type ("DEVICE", "COLLECTION"), when a BASER has it. */
export function itsTable(
  regs: ReadonlyMap<string, bigint>,
  type: "DEVICE" | "COLLECTION",
): ItsTable | undefined {
  for (let n = 0; n < BASERS; n++) {
    const word = [regs.get(`BASER${n}`) ?? 0n];
    const name = GITS_BASER.field.Type.values?.[Number(getField(GITS_BASER, word, "Type"))];
    if (name !== type || getField(GITS_BASER, word, "Valid") === 0n) continue;
    const pageBytes = PAGE_BYTES[Number(getField(GITS_BASER, word, "Page_Size"))];
    const wide = GITS_BASER.cases.PAGES_64K.field;
    const base =
      pageBytes === 65536
        ? readField(wide.Physical_Address_64K_lo, word) +
          readField(wide.Physical_Address_64K_hi, word)
        : getField(GITS_BASER, word, "Physical_Address");
    return {
      base: Number(base),
      bytes: (Number(getField(GITS_BASER, word, "Size")) + 1) * pageBytes,
      pageBytes,
      indirect: getField(GITS_BASER, word, "Indirect") === 1n,
    };
  }
  return undefined;
}

/** Address of entry `id`; undefined when the table has none or its level 1 entry is not valid. */
export function itsEntryAddress(table: ItsTable, id: number, read: ReadWord): number | undefined {
  if (!table.indirect) {
    return id * ENTRY_BYTES < table.bytes ? table.base + id * ENTRY_BYTES : undefined;
  }
  const perPage = table.pageBytes / ENTRY_BYTES;
  const at = Math.floor(id / perPage) * ENTRY_BYTES;
  if (at >= table.bytes) return undefined;
  const word = [read(BigInt(table.base + at)) ?? 0n];
  if (getField(L1_TABLE_ENTRY, word, "Valid") === 0n) return undefined;
  const page = Number(getField(L1_TABLE_ENTRY, word, "Address"));
  return page + (id % perPage) * ENTRY_BYTES;
}
