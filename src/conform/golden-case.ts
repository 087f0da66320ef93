// One line of a golden file: a device's configuration and what QEMU made of its DMA.

/** [asid, vmid, address, tg, level]; asid -1 marks an entry of stage 2 alone. */
export type Inserted = [number, number, bigint, number, number];

/** What became of a translation that did not fault. */
export interface Outcome {
  kind: "success" | "bypass" | "abort";
  /** Output address, permission (1 read, 2 write) and stages (3: both); of `success` only. */
  pa?: bigint;
  perm?: number;
  stage?: number;
  /** IOTLB inserts since the previous outcome of the batch. */
  tlb: Inserted[];
}

/** A case with the recorded answer. */
export interface GoldenCase {
  sid: number;
  iova: bigint;
  w: 0 | 1;
  ste: Uint8Array;
  cdA: bigint;
  cd: Uint8Array;
  mem: [bigint, bigint][];
  t: Outcome | null;
  ev: string[];
}

interface RawCase {
  sid: number;
  iova: string;
  w: 0 | 1;
  ste: string;
  cdA: string;
  cd: string;
  mem: [string, string][];
  t: null | {
    kind: Outcome["kind"];
    pa?: string;
    perm?: string | number;
    stage?: number;
    tlb: [number, number, string, number, number][];
  };
  ev: string[];
}

const ENTRY_DIGITS = 128;

function entryBytes(text: string, name: string): Uint8Array {
  if (text?.length !== ENTRY_DIGITS) throw new Error(`${name} is not 64 bytes of hexadecimal`);
  return Uint8Array.from({ length: ENTRY_DIGITS / 2 }, (_, i) =>
    Number.parseInt(text.slice(i * 2, i * 2 + 2), 16),
  );
}

/** Parses one line. Throws an Error that says what is wrong. */
export function parseGoldenCase(line: string): GoldenCase {
  const raw = JSON.parse(line) as RawCase;
  if (typeof raw.sid !== "number" || !Array.isArray(raw.mem) || !Array.isArray(raw.ev)) {
    throw new Error("not a case: sid, mem or ev is missing");
  }
  const { t } = raw;
  return {
    sid: raw.sid,
    iova: BigInt(raw.iova),
    w: raw.w,
    ste: entryBytes(raw.ste, "ste"),
    cdA: BigInt(raw.cdA),
    cd: entryBytes(raw.cd, "cd"),
    mem: raw.mem.map(([at, value]) => [BigInt(at), BigInt(value)]),
    t: t && {
      kind: t.kind,
      ...(t.pa === undefined ? {} : { pa: BigInt(t.pa) }),
      ...(t.perm === undefined ? {} : { perm: Number(t.perm) }),
      ...(t.stage === undefined ? {} : { stage: t.stage }),
      tlb: t.tlb.map(([asid, vmid, at, tg, level]) => [asid, vmid, BigInt(at), tg, level]),
    },
    ev: raw.ev,
  };
}
