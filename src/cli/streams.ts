// The list of streams that `vsmmu walk --list` shows.

import type { MemoryImage } from "../capture/image.ts";
import type { SmmuState } from "../capture/manifest.ts";
import { readStream, type Stream, steAddresses } from "../capture/streams.ts";
import { CD } from "../spec/cd.ts";
import { STE } from "../spec/ste.ts";
import { getField } from "../spec/word.ts";
import type { StreamRow } from "../view/walk.ts";

/** Bits of Config that make a stream do anything but abort. */
const CONFIG_LIVE = 4;

/** Every valid STE that does not abort; `aborting` counts the others. */
export async function listStreams(
  target: { image: MemoryImage; states: SmmuState[]; nameOf(sid: number): string | null },
  only: number | undefined,
): Promise<{ rows: StreamRow[]; aborting: number }> {
  const rows: StreamRow[] = [];
  let aborting = 0;
  const read = imageReader(target.image);
  for (const [smmu, state] of target.states.entries()) {
    if (only !== undefined && only !== smmu) continue;
    for (const [sid, address] of steAddresses(state.regs, read)) {
      const stream = readStream(sid, address, read);
      if (!stream) continue;
      if ((stream.config & CONFIG_LIVE) === 0) aborting++;
      else rows.push(rowOf(stream, smmu, target.nameOf(sid)));
    }
  }
  return { rows, aborting };
}

function rowOf(s: Stream, smmu: number, bdf: string | null): StreamRow {
  const { cd } = s;
  return {
    smmu,
    sid: s.sid,
    bdf,
    config: STE.field.Config.values?.[s.config] ?? String(s.config),
    ste: s.steAddress,
    cd: s.cdAddress ?? null,
    asid: cd ? Number(getField(CD, cd, "ASID")) : null,
    ttb0: cd ? getField(CD, cd, "TTB0") : null,
    vmid: s.stage2 ? Number(getField(STE, s.ste, "S2VMID")) : null,
    s2ttb: s.stage2 ? s.stage2.base : null,
  };
}

/** Reads words of an image, a page at a time. */
function imageReader(image: MemoryImage): (pa: bigint) => bigint | undefined {
  let base = -1n;
  let view: DataView | undefined;
  return (pa) => {
    const page = pa & ~0xfffn;
    if (page !== base) {
      base = page;
      const bytes = image.page(page);
      view = bytes && new DataView(bytes.buffer);
    }
    return view?.getBigUint64(Number(pa & 0xfffn), true);
  };
}
