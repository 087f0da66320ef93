// A capture's manifest: the machine's registers, functions, streams, MSIs and ITS, typed.

import { InputError } from "./errors.ts";
import { Field } from "./field.ts";
import { JsonError, parseJson } from "./json.ts";

/** One SMMU at the stop: MMIO base and named register values. */
export interface SmmuState {
  base: bigint;
  /** Register values by architected name ("CR0", "STRTAB_BASE", "PAGE1_EVENTQ_PROD"). */
  regs: Map<string, bigint>;
}

/** One MSI-X (or MSI) vector as the guest programmed it. */
export interface VectorState {
  vector: number;
  address: bigint;
  data: number;
  /** The vector's mask bit. */
  masked: boolean;
}

/** One PCI function. */
export interface FunctionState {
  bdf: string;
  requesterId: number;
  vendor: number;
  device: number;
  /** The first 256 (or 64) bytes of configuration space. */
  config: Uint8Array;
  extended: Uint8Array | undefined;
  /** Index of the SMMU in front of it; null: none; undefined: the manifest does not say. */
  smmu: number | null | undefined;
  msix: { capability: number; enabled: boolean; masked: boolean; vectors: VectorState[] } | null;
  msi: { capability: number; enabled: boolean; address: bigint; data: number } | null;
}

/** One stream table entry that the capture's author found. */
export interface StreamState {
  smmu: number;
  sid: number;
  steAddress: bigint;
}

/** One programmed vector and where the author's walk took it. */
export interface MsiState {
  bdf: string;
  sid: number;
  deviceId: number;
  type: string;
  vector: number;
  iova: bigint;
  data: number;
  masked: boolean;
  pa: bigint | undefined;
  /** null: the function is behind no SMMU. */
  smmu: number | null;
  lpi: number | undefined;
  icid: number | undefined;
  rdbase: number | undefined;
  lpiConfig: number | undefined;
  /** Path in the manifest, for messages. */
  path: string;
}

/** The ITS at the stop. */
export interface ItsState {
  base: bigint;
  translater: bigint;
  regs: Map<string, bigint>;
}

/** One redistributor. */
export interface RedistributorState {
  base: bigint;
  regs: Map<string, bigint>;
}

/** Everything that the manifest says and this project uses. */
export interface Manifest {
  file: string;
  variant: string;
  qemu: string;
  notes: string[];
  smmus: SmmuState[];
  its: ItsState | null;
  redistributors: RedistributorState[];
  ram: { base: bigint; bytes: bigint }[];
  functions: FunctionState[];
  streams: StreamState[];
  msis: MsiState[];
}

/**
 * Parses and checks a manifest.json.
 * @throws InputError naming the file and the path of the value that does not fit
 */
export function parseManifest(text: string, file: string): Manifest {
  const root = new Field(file, parseDocument(text, file));
  const smmus = root.listOf("smmu").map(readSmmu);
  const view = root.optional("vsmmu");
  if (smmus.length === 0 && view) smmus.push(readSmmu(view));
  return {
    file,
    variant: root.optional("variant")?.text() ?? root.optional("what")?.text() ?? "",
    qemu: root.optional("qemu")?.text() ?? "",
    notes: root.listOf("notes").map((n) => n.text()),
    smmus,
    its: readIts(root.optional("its")),
    redistributors: root.listOf("gicr").map((f) => ({
      base: f.get("base").u64(),
      regs: readRegisters(f, new Set(["base"])),
    })),
    ram: root.listOf("ram").map((f) => ({ base: f.get("base").u64(), bytes: f.get("size").u64() })),
    functions: root.listOf("pci").map((f) => readFunction(f, smmus.length)),
    streams: root
      .listOf("streams")
      .filter((f) => f.optional("sid"))
      .map(readStream),
    msis: root.listOf("msi").map(readMsi),
  };
}

/** Parses a JSON document; a syntax error becomes an InputError with its byte position. */
export function parseDocument(text: string, file: string) {
  try {
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    throw new InputError(file, `not JSON: ${error.message}`, { offset: error.position });
  }
}

function readSmmu(f: Field): SmmuState {
  return { base: f.get("base").u64(), regs: readRegisters(f.get("regs"), new Set()) };
}

/** The scalar members of `f`, but for those in `skip`. */
function readRegisters(f: Field, skip: Set<string>): Map<string, bigint> {
  const regs = new Map<string, bigint>();
  for (const [name, value] of f.entries()) {
    if (skip.has(name) || Array.isArray(value.value) || value.value === null) continue;
    regs.set(name, value.u64());
  }
  return regs;
}

function readIts(f: Field | undefined): ItsState | null {
  const base = f?.optional("base");
  if (!f || !base) return null;
  return {
    base: base.u64(),
    translater: f.get("translater").u64(),
    regs: readRegisters(f.get("regs"), new Set()),
  };
}

function readFunction(f: Field, smmuCount: number): FunctionState {
  const requesterId = f.get("requester_id").u32(0xffff);
  return {
    bdf: f.get("bdf").text(),
    requesterId,
    vendor: f.get("vendor").u32(0xffff),
    device: f.get("device").u32(0xffff),
    config: f.get("config_hex").bytes(),
    extended: f.optional("ext_config_hex_0x100")?.bytes(),
    smmu: readSmmuIndex(f.get("smmu"), smmuCount),
    msix: readMsix(f.optional("msix")),
    msi: readMsiCapability(f.optional("msi")),
  };
}

function readSmmuIndex(f: Field, smmuCount: number): number | null | undefined {
  if (f.value === undefined || f.value === null) return f.value;
  return f.u32(smmuCount - 1);
}

function readMsix(f: Field | undefined): FunctionState["msix"] {
  if (!f) return null;
  return {
    capability: f.get("cap").u32(0xff),
    enabled: f.get("enabled").u32() !== 0,
    masked: f.get("masked").u32() !== 0,
    vectors: f.listOf("entries").map((e, vector) => ({
      vector,
      address: e.get("addr").u64(),
      data: e.get("data").u32(),
      masked: (e.get("ctrl").u32() & 1) !== 0,
    })),
  };
}

function readMsiCapability(f: Field | undefined): FunctionState["msi"] {
  if (!f) return null;
  return {
    capability: f.get("cap").u32(0xff),
    enabled: f.get("enabled").u32() !== 0,
    address: f.get("addr").u64(),
    data: f.get("data").u32(),
  };
}

function readStream(f: Field): StreamState {
  return {
    smmu: f.optional("smmu")?.u32(0xff) ?? 0,
    sid: f.get("sid").u32(),
    steAddress: f.get("ste_addr").u64(),
  };
}

function readMsi(f: Field): MsiState {
  const smmu = f.get("smmu");
  const sid = f.optional("sid") ?? f.get("device_id");
  return {
    bdf: f.get("bdf").text(),
    sid: sid.u32(),
    deviceId: (f.optional("device_id") ?? sid).u32(),
    type: f.get("type").text(),
    vector: f.get("vector").u32(0xffff),
    iova: f.get("iova").u64(),
    data: f.get("data").u32(),
    masked: ((f.optional("ctrl")?.u32() ?? 0) & 1) !== 0,
    pa: f.optional("pa")?.u64(),
    smmu: smmu.value === null ? null : smmu.value === undefined ? 0 : smmu.u32(0xff),
    lpi: f.optional("lpi")?.u32(),
    icid: f.optional("icid")?.u32(),
    rdbase: f.optional("rdbase")?.u32(),
    lpiConfig: f.optional("lpi_cfg")?.u32(0xff),
    path: f.path,
  };
}
