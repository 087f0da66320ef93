// The host's SMMU driver as iommufd uses it: domains, STEs, command issue, event dispatch (Linux
// 7.2 arm-smmu-v3).
import { CD } from "../spec/cd.ts";
import { EVENT } from "../spec/event.ts";
import { IDR0, IDR1, IDR3, IDR5 } from "../spec/register-id.ts";
import { STE } from "../spec/ste.ts";
import { bytesOf, getField, packFields, setField, wordsOf } from "../spec/word.ts";
import * as commands from "../tables/command.ts";
import { PageTable } from "../tables/page-table.ts";
import { fail } from "../vfio/errno.ts";
import type {
  CmdqvInfo,
  HostDevice,
  HostSmmu,
  HostVintf,
  HwInfo,
  NestedDomain,
  PagingDomain,
  Protection,
  Vmaster,
} from "../vfio/iommufd/driver.ts";
import { VSTE_CONFIG } from "../vfio/iommufd/vste.ts";
import { type SteWords, updateStages } from "./entry-writer.ts";
import type { HostPort } from "./host-port.ts";
import { abortSte, addressSize, nestedSte, type Stage2, stage1Ste, stage2Ste } from "./host-ste.ts";
import { HostStreamTable } from "./host-stream-table.ts";

/** Memory attributes of stage 2 leaves: write-back memory, device registers. */
const MEMATTR_WB = 15;
const MEMATTR_DEVICE = 1;
/** Attribute indexes of the host's MAIR: write-back, device. */
const MAIR0 = 0xf404ff44n;
const ATTR_WB = 1;
const ATTR_DEVICE = 2;
const OUTER_SHAREABLE = 2;
const INNER_SHAREABLE = 3;

/** Pages that are invalidated one by one before the whole VMID is cheaper. */
const SINGLE_INVALIDATIONS_MAX = 64n;
const PAGE = 4096n;

/** Events that the driver hands to a guest. */
const FORWARDED_EVENTS: ReadonlySet<number | undefined> = new Set(
  (
    [
      "C_BAD_STE",
      "F_STREAM_DISABLED",
      "C_BAD_SUBSTREAMID",
      "C_BAD_CD",
      "F_TRANSLATION",
      "F_ADDR_SIZE",
      "F_ACCESS",
      "F_PERMISSION",
    ] as const
  ).map((name) => EVENT.cases[name].value),
);

const OAS_BITS = [32, 36, 40, 42, 44, 48, 52];

/** What the driver did with one event record. */
export interface EventOutcome {
  readonly record: Uint8Array;
  /** The guest StreamID when it was forwarded. */
  readonly vsid: bigint | undefined;
  /** Why the guest does not see it. */
  readonly reason: string | undefined;
}

interface Master {
  ste: SteWords;
  vmaster: Vmaster | undefined;
  readonly pasids: Set<number>;
  /** The device's own CD while a stage 1 domain is attached. */
  cd: bigint | undefined;
}

/** How the driver is set up. */
export interface HostDriverOptions {
  readonly name: string;
  readonly info: HwInfo;
  readonly port: HostPort;
  readonly cmdqv?: { readonly info: CmdqvInfo; allocate(vmid: number): HostVintf };
  /** Where user-space domains see MSI doorbells; 0x08000000 unless given, null for nowhere. */
  readonly swMsiStart?: bigint | null;
}

/** One physical SMMU with its driver. */
export class HostDriver implements HostSmmu {
  readonly name: string;
  readonly info: HwInfo;
  readonly port: HostPort;
  readonly swMsiStart: bigint | undefined;
  readonly swMsiBytes = 0x10_0000n;
  private readonly tags = new Set<number>();
  private readonly masters = new Map<HostDevice, Master>();
  private readonly bySid = new Map<number, Master>();
  private readonly streams: HostStreamTable;
  private readonly cmdqvUnit: HostDriverOptions["cmdqv"];

  constructor(options: HostDriverOptions) {
    this.name = options.name;
    this.info = options.info;
    this.port = options.port;
    this.cmdqvUnit = options.cmdqv;
    this.swMsiStart =
      options.swMsiStart === null ? undefined : (options.swMsiStart ?? 0x0800_0000n);
    this.streams = new HostStreamTable(options.port, this.sidBits);
  }

  private idr(n: number): bigint[] {
    return [BigInt(this.info.idr[n])];
  }

  private get sidBits(): number {
    return Number(getField(IDR1, this.idr(1), "SIDSIZE"));
  }

  get nesting(): boolean {
    return getField(IDR0, this.idr(0), "S1P") === 1n && getField(IDR0, this.idr(0), "S2P") === 1n;
  }

  get s2fwb(): boolean {
    return getField(IDR3, this.idr(3), "FWB") === 1n;
  }

  get ats(): boolean {
    return getField(IDR0, this.idr(0), "ATS") === 1n;
  }

  get oasBits(): number {
    return OAS_BITS[Number(getField(IDR5, this.idr(5), "OAS"))];
  }

  get cmdqv(): CmdqvInfo | undefined {
    return this.cmdqvUnit?.info;
  }

  allocVintf(vmid: number): HostVintf {
    if (this.cmdqvUnit === undefined) fail("EOPNOTSUPP", `${this.name} has no CMDQV`);
    return this.cmdqvUnit.allocate(vmid);
  }

  /** Lowest free VMID or ASID, from 1. */
  private takeTag(): number {
    let tag = 1;
    while (this.tags.has(tag)) tag++;
    this.tags.add(tag);
    return tag;
  }

  allocPaging(stage: 1 | 2, nestParent: boolean): PagingDomain {
    const inputBits = stage === 2 ? this.oasBits : 48;
    const table = new PageTable(this.port.memory, { stage, granule: 12, inputBits });
    const tag = this.takeTag();
    const domain: HostPagingDomain = {
      is: "paging",
      smmu: this,
      stage,
      nestParent,
      tag,
      table,
      apertureLast: (1n << BigInt(inputBits)) - 1n,
      map: (iova, pa, bytes, protection) =>
        table.map(iova, pa, bytes, leafFields(stage, protection)),
      unmap: (iova, bytes) => {
        table.unmap(iova, bytes);
        this.issue(this.invalidations(domain, iova, bytes));
      },
      destroy: () => {
        this.issue([stage === 2 ? commands.tlbiS12Vmall(tag) : commands.tlbiNhAsid(tag)]);
        table.destroy();
        this.tags.delete(tag);
      },
    };
    return domain;
  }

  /** A nest parent's stage 1 entries go too: the SMMU may have combined both stages. */
  private invalidations(domain: HostPagingDomain, iova: bigint, bytes: bigint): Uint8Array[] {
    const { stage, tag, nestParent } = domain;
    const pages = (bytes + PAGE - 1n) / PAGE;
    const whole = stage === 1 ? commands.tlbiNhAsid : commands.tlbiS12Vmall;
    const one = stage === 1 ? commands.tlbiNhVa : commands.tlbiS2Ipa;
    const list =
      pages > SINGLE_INVALIDATIONS_MAX
        ? [whole(tag)]
        : Array.from({ length: Number(pages) }, (_, i) => one(tag, iova + BigInt(i) * PAGE));
    return nestParent ? [...list, commands.tlbiNhAll(tag)] : list;
  }

  attach(device: HostDevice, domain: PagingDomain | NestedDomain | undefined, to?: Vmaster): void {
    const master = this.masterOf(device);
    this.install(device, this.steFor(device, master, domain));
    master.vmaster = to;
  }

  private steFor(
    device: HostDevice,
    master: Master,
    domain: PagingDomain | NestedDomain | undefined,
  ): SteWords {
    const ats = this.ats && device.ats;
    if (domain === undefined) return abortSte();
    if (domain.is === "nested") {
      const s1 = getField(STE, domain.ste, "Config") === VSTE_CONFIG.s1;
      return nestedSte(domain.ste, this.stage2Of(domain.parent), ats && (!s1 || domain.enableAts));
    }
    if (domain.stage === 2) return stage2Ste(this.stage2Of(domain), ats);
    master.cd ??= this.port.memory.allocate(CD.bytes * 2 ** device.pasidBits);
    this.writeCd(master.cd, domain as HostPagingDomain);
    return stage1Ste(master.cd, device.pasidBits, ats);
  }

  private stage2Of(domain: PagingDomain): Stage2 {
    const { table, tag } = domain as HostPagingDomain;
    const { granule, inputBits } = table.geometry;
    const { oasBits: outputBits, s2fwb } = this;
    return { vmid: tag, root: table.root, granule, inputBits, outputBits, s2fwb };
  }

  private writeCd(at: bigint, domain: HostPagingDomain | undefined): void {
    const words =
      domain === undefined
        ? new Array<bigint>(CD.bytes / 8).fill(0n)
        : packFields(CD, {
            V: 1,
            T0SZ: 64 - domain.table.geometry.inputBits,
            IR0: 1,
            OR0: 1,
            SH0: INNER_SHAREABLE,
            EPD1: 1,
            IPS: addressSize(this.oasBits),
            AA64: 1,
            R: 1,
            A: 1,
            ASET: 1,
            ASID: domain.tag,
            TTB0: domain.table.root,
            MAIR0,
          });
    for (const [i, word] of words.entries()) this.port.memory.write64(at + BigInt(i * 8), word);
  }

  /** Rewrites the device's STE in the driver's order, with an invalidation after each stage. */
  install(device: HostDevice, target: SteWords): void {
    const master = this.masterOf(device);
    const stages = updateStages(master.ste, target);
    for (const sid of device.streams) {
      const at = this.streams.steOf(sid);
      for (const stage of stages) {
        for (const { word, value } of stage) this.port.memory.write64(at + BigInt(word * 8), value);
        this.issue([commands.cfgiSte(sid)]);
      }
      this.port.issue([commands.prefetchConfig(sid)]);
    }
    master.ste = target;
  }

  private masterOf(device: HostDevice): Master {
    const known = this.masters.get(device);
    if (known !== undefined) return known;
    const made: Master = { ste: abortSte(), vmaster: undefined, pasids: new Set(), cd: undefined };
    this.masters.set(device, made);
    for (const sid of device.streams) {
      this.bySid.set(sid, made);
      this.streams.write(sid, made.ste);
    }
    return made;
  }

  /** Where the STE of a StreamID is in memory. */
  steAddress(sid: number): bigint {
    return this.streams.steOf(sid);
  }

  /** The STE that is installed for a device. */
  steOf(device: HostDevice): SteWords {
    return this.masterOf(device).ste;
  }

  ssidsInUse(device: HostDevice): boolean {
    return this.masterOf(device).pasids.size > 0;
  }

  attachPasid(device: HostDevice, pasid: number, domain: PagingDomain | undefined): void {
    const { cd, pasids } = this.masterOf(device);
    if (cd === undefined) fail("EINVAL", `${device.name} has no CD table`);
    this.writeCd(cd + BigInt(CD.bytes * pasid), domain as HostPagingDomain | undefined);
    for (const sid of device.streams) this.issue([commands.cfgiCd(sid, pasid)]);
    if (domain === undefined) pasids.delete(pasid);
    else pasids.add(pasid);
  }

  issue(batch: readonly Uint8Array[]): void {
    this.port.issue([...batch, commands.sync()]);
  }

  /**
   * One record of the SMMU's event queue: to the guest with its StreamID replaced, or to the host's
   * log.
   */
  handleEvent(record: Uint8Array): EventOutcome {
    const words = wordsOf(record);
    const kept = (reason: string): EventOutcome => ({ record, vsid: undefined, reason });
    const id = Number(getField(EVENT, words, "EventID"));
    if (!FORWARDED_EVENTS.has(id)) return kept("the host driver does not forward this event");
    const fault = EVENT.caseOf(id)?.field.Stall !== undefined;
    if (fault && getField(EVENT, words, "Stall") === 1n) return kept("stalled transaction");
    const master = this.bySid.get(Number(getField(EVENT, words, "StreamID")));
    if (master?.vmaster === undefined)
      return kept("the device is not attached under a guest StreamID");
    if (fault && getField(EVENT, words, "S2") === 1n) return kept("stage 2 belongs to the host");
    const { vsid, report } = master.vmaster;
    report(bytesOf(setField(EVENT, words, "StreamID", vsid)));
    return { record, vsid, reason: undefined };
  }
}

/** A paging domain with the tables that this driver built for it. */
export interface HostPagingDomain extends PagingDomain {
  readonly table: PageTable;
}

function leafFields(stage: 1 | 2, { read, write, device }: Protection): Record<string, number> {
  const SH = device ? OUTER_SHAREABLE : INNER_SHAREABLE;
  if (stage === 2)
    return {
      MemAttr: device ? MEMATTR_DEVICE : MEMATTR_WB,
      "S2AP[0]": read ? 1 : 0,
      "S2AP[1]": write ? 1 : 0,
      SH,
    };
  return {
    AttrIndx: device ? ATTR_DEVICE : ATTR_WB,
    "AP[1]": 1,
    "AP[2]": write ? 0 : 1,
    SH,
    nG: 1,
  };
}
