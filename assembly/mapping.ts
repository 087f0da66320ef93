// What the last walk of each stage produced: address, size, permissions, attributes.

/** Stage 1: the IPA or PA of the access, log2 of the leaf's size, PERM_ bits. */
export let s1Address: u64 = 0;
export let s1Bits: u32 = 0;
export let s1Perms: u32 = 0;
/** Memory attributes as a MAIR byte, and shareability. */
export let s1Attr: u32 = 0;
export let s1Sh: u32 = 0;
export let s1Level: i32 = 0;
export let s1Granule: u32 = 0;
export let s1Global: bool = false;

/** Stage 2: the PA of the access, log2 of the leaf's size, PERM_ bits. */
export let s2Address: u64 = 0;
export let s2Bits: u32 = 0;
export let s2Perms: u32 = 0;
/** Raw MemAttr and SH of the leaf. */
export let s2Attr: u32 = 0;
export let s2Sh: u32 = 0;
export let s2Level: i32 = 0;
export let s2Granule: u32 = 0;

export function setStage1Mapping(address: u64, bits: u32, perms: u32, attr: u32, sh: u32): void {
  s1Address = address;
  s1Bits = bits;
  s1Perms = perms;
  s1Attr = attr;
  s1Sh = sh;
}

export function setStage1Leaf(level: i32, granule: u32, global: bool): void {
  s1Level = level;
  s1Granule = granule;
  s1Global = global;
}

export function setStage2Mapping(address: u64, bits: u32, perms: u32, attr: u32, sh: u32): void {
  s2Address = address;
  s2Bits = bits;
  s2Perms = perms;
  s2Attr = attr;
  s2Sh = sh;
}

export function setStage2Leaf(level: i32, granule: u32): void {
  s2Level = level;
  s2Granule = granule;
}

/** The translation that the request gets. */
export let outAddress: u64 = 0;
export let outBits: u32 = 0;
export let outPerms: u32 = 0;
export let outAttr: u32 = 0;
export let outSh: u32 = 0;
/** Stages that translated: 0 bypass, 1, 2, 3 both. */
export let outStage: u32 = 0;

export function setOutput(
  address: u64,
  bits: u32,
  perms: u32,
  attr: u32,
  sh: u32,
  stage: u32,
): void {
  outAddress = address;
  outBits = bits;
  outPerms = perms;
  outAttr = attr;
  outSh = sh;
  outStage = stage;
}
