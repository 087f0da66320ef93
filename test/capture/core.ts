// Builds small ELF cores for the reader's tests, byte by byte.

/** One PT_LOAD to build. */
export interface BuiltSegment {
  base: bigint;
  bytes: bigint;
  data?: Uint8Array;
}

/** Where things lie in a built core. */
export const LAYOUT = { phoff: 64, phentsize: 56 };

/** Builds a core; `edit` may damage the header and program headers. */
export function buildCore(
  segments: BuiltSegment[],
  options: { phoff?: number; note?: boolean; edit?: (view: DataView) => void } = {},
): Uint8Array {
  const phoff = options.phoff ?? LAYOUT.phoff;
  const notes = options.note ? 1 : 0;
  const headers = phoff + LAYOUT.phentsize * (segments.length + notes);
  const total = headers + segments.reduce((sum, s) => sum + (s.data?.length ?? 0), 0);
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 4, true);
  view.setUint16(18, 183, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(32, BigInt(phoff), true);
  view.setUint16(52, options.phoff ? 8 : 64, true);
  view.setUint16(54, LAYOUT.phentsize, true);
  view.setUint16(56, segments.length + notes, true);
  let at = headers;
  if (options.note) view.setUint32(phoff, 4, true);
  segments.forEach((s, i) => {
    const p = phoff + LAYOUT.phentsize * (i + notes);
    view.setUint32(p, 1, true);
    view.setBigUint64(p + 8, BigInt(at), true);
    view.setBigUint64(p + 24, s.base, true);
    view.setBigUint64(p + 32, BigInt(s.data?.length ?? 0), true);
    view.setBigUint64(p + 40, s.bytes, true);
    if (s.data) {
      bytes.set(s.data, at);
      at += s.data.length;
    }
  });
  options.edit?.(view);
  return bytes;
}
