// Walk geometry: granule, sizes, levels, indexes and limits, as pure functions (DDI0487 D8.2).

/** log2 of the granules. */
export const GRANULE_4K: u32 = 12;
export const GRANULE_16K: u32 = 14;
export const GRANULE_64K: u32 = 16;

/** Index bits of one full table. */
export function strideBits(granule: u32): u32 {
  return granule - 3;
}

/** log2 of the region that one entry of `level` maps. */
export function levelShift(granule: u32, level: i32): u32 {
  return granule + <u32>(3 - level) * strideBits(granule);
}

/** First level of a stage 1 walk of `inputBits` significant bits: 4 - ceil((n - g) / (g - 3)). */
export function stage1StartLevel(granule: u32, inputBits: u32): i32 {
  const stride = strideBits(granule);
  return 4 - <i32>((inputBits - granule + stride - 1) / stride);
}

/** Index bits of the first table, which is smaller than a full one or concatenated. */
export function startIndexBits(granule: u32, inputBits: u32, level: i32): i32 {
  return <i32>inputBits - <i32>levelShift(granule, level);
}

/** A value with its `n` low bits set; n may be 64. */
export function ones(n: u32): u64 {
  return n >= 64 ? ~(<u64>0) : ((<u64>1) << (<u64>n)) - 1;
}

/** log2 of the output size for an OAS, IPS or S2PS encoding; 6 and 7 need 52-bit features. */
export function outputBits(encoding: u32): u32 {
  switch (encoding) {
    case 0:
      return 32;
    case 1:
      return 36;
    case 2:
      return 40;
    case 3:
      return 42;
    case 4:
      return 44;
    case 5:
      return 48;
    case 6:
      return 52;
    default:
      return 56;
  }
}

/** Granule of a CD.TG0, STE.S2TG encoding; 0 for the reserved one. */
export function granuleOfTg0(tg: u32): u32 {
  if (tg == 0) return GRANULE_4K;
  if (tg == 1) return GRANULE_64K;
  return tg == 2 ? GRANULE_16K : 0;
}

/** Granule of a CD.TG1 encoding; 0 for the reserved one. */
export function granuleOfTg1(tg: u32): u32 {
  if (tg == 1) return GRANULE_16K;
  if (tg == 2) return GRANULE_4K;
  return tg == 3 ? GRANULE_64K : 0;
}

/** Granule of a command's TG encoding (1, 2, 3). */
export function granuleOfCommandTg(tg: u32): u32 {
  return 10 + 2 * tg;
}

/** The TG encoding that commands and QEMU's IOTLB keys use for a granule. */
export function commandTgOf(granule: u32): u32 {
  return (granule - 10) >> 1;
}

/** Start level of stage 2 for S2SL0; 3 is legal with 4K alone (DDI0487 D8.2). */
export function stage2StartLevel(granule: u32, sl0: u32): i32 {
  if (granule == GRANULE_4K) return sl0 == 3 ? 3 : 2 - <i32>sl0;
  return 3 - <i32>sl0;
}

/** Whether a block may stand at `level` without the 52-bit features (DDI0487 D8.3). */
export function blockAllowed(granule: u32, level: i32): bool {
  return granule == GRANULE_4K ? level == 1 || level == 2 : level == 2;
}
