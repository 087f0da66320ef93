// Every piece of advice that the decoder can give, in one place: id, paragraph, confidence, words.
import type { Confidence, HintPart } from "./types.ts";

/** A template; `{name}` is replaced by a value of the record. */
export interface HintTemplate {
  readonly part: HintPart;
  readonly confidence: Confidence;
  readonly text: string;
}

const meaning = (text: string, confidence: Confidence = "certain"): HintTemplate => ({
  part: "meaning",
  confidence,
  text,
});
const cause = (confidence: Confidence, text: string): HintTemplate => ({
  part: "cause",
  confidence,
  text,
});
const next = (text: string, confidence: Confidence = "high"): HintTemplate => ({
  part: "next",
  confidence,
  text,
});

/** What each event says, before anything about this one is known. */
const EVENT_MEANINGS = {
  "event-F_UUT": meaning(
    "{who} sent a transaction of a kind the SMMU does not support; it was aborted.",
  ),
  "event-C_BAD_STREAMID": meaning(
    "{who} is outside the stream table: there is no entry for it, so its transaction was aborted.",
  ),
  "event-F_STE_FETCH": meaning(
    "The SMMU could not read the stream table for {who}: the bus aborted the read at {fetch}.",
  ),
  "event-C_BAD_STE": meaning(
    "The stream table entry of {who} is not valid (V=0) or breaks a rule; the transaction was aborted.",
  ),
  "event-F_BAD_ATS_TREQ": meaning(
    "{who} sent an ATS translation request that its stream may not send; it was answered with Unsupported Request.",
  ),
  "event-F_STREAM_DISABLED": meaning(
    "{who} sent a transaction without a SubstreamID (or with SubstreamID 0) and STE.S1DSS forbids that; it was aborted.",
  ),
  "event-F_TRANSL_FORBIDDEN": meaning(
    "{who} sent an ATS translated address {iova} that it is not trusted to send; it was aborted.",
  ),
  "event-C_BAD_SUBSTREAMID": meaning(
    "{who} used SubstreamID (PASID) {ssid}, for which there is no context descriptor; it was aborted.",
  ),
  "event-F_CD_FETCH": meaning(
    "The SMMU could not read the context descriptor of {who}: the bus aborted the read at {fetch}.",
  ),
  "event-C_BAD_CD": meaning(
    "The context descriptor of {who} is not valid (V=0) or breaks a rule; the transaction was aborted.",
  ),
  "event-F_WALK_EABT": meaning(
    "A table walk for {who} at {iova} failed: the bus aborted the read of a descriptor at {fetch}.",
  ),
  "event-F_TRANSLATION": meaning(
    "{who} tried to {access} {iova}, and {stage} has no mapping for it.",
  ),
  "event-F_ADDR_SIZE": meaning(
    "{who} tried to {access} {iova}, and {stage} gave an address wider than it may be.",
  ),
  "event-F_ACCESS": meaning(
    "{who} tried to {access} {iova}, which {stage} maps with a clear Access flag (AF=0).",
  ),
  "event-F_PERMISSION": meaning(
    "{who} tried to {access} {iova}, which {stage} maps without that permission.",
  ),
  "event-F_TLB_CONFLICT": meaning(
    "Several TLB entries cover {iova} of {who}: mappings of different sizes overlap.",
  ),
  "event-F_CFG_CONFLICT": meaning(
    "Several cached stream table entries cover {who}: STE.CONT promises that neighbours are equal, and they are not.",
  ),
  "event-E_PAGE_REQUEST": meaning("{who} hints that it will soon need a page; this is no error."),
  "event-F_VMS_FETCH": meaning(
    "The SMMU could not read the virtual machine structure for {who}: the bus aborted the read at {fetch}.",
  ),
} as const;

/** The event as a whole. */
const EVENT_KINDS = {
  "event-impdef": meaning(
    "Event numbers 0xe0 to 0xef belong to the implementation: only its manual says what they mean.",
  ),
  "event-reserved": meaning(
    "This event number is reserved in the architecture: the words are not an event record, or come from a newer revision.",
  ),
  "event-stalled": meaning(
    "The transaction is stalled, not ended: it waits for CMD_RESUME with tag {stag}.",
  ),
  "class-tt": meaning(
    "It was the fetch of a stage 1 table, not the device's own access, that faulted.",
  ),
  "class-cd": meaning(
    "It was the fetch of the context descriptor, not the device's own access, that faulted.",
  ),
  "sid-bdf": meaning(
    "StreamID {sid} is PCI function {bdf}, if StreamIDs are RequesterIDs{base}.",
    "high",
  ),
  "sid-wide": meaning(
    "StreamID {sid} is wider than a RequesterID: its low 16 bits would be {bdf}, the rest is the offset that IORT or iommu-map adds.",
    "medium",
  ),
  "reserved-bits": meaning(
    "Reserved bits that are set: {bits}. HiSilicon's SMMUs are known to leave data in reserved bits of words 1 to 3; the fields above are not affected.",
    "medium",
  ),
} as const;

const DOORBELL = {
  "msi-doorbell": meaning(
    "A write to page offset 0x040 has the shape of an interrupt message: GITS_TRANSLATER of an ITS, MSI_SETSPI_NS of a GICv2m frame and GICD_SETSPI_NSR all lie there. An MSI was lost, not data.",
    "high",
  ),
  "msi-doorbell-equal": cause(
    "certain",
    "The address is exactly the known doorbell {doorbell}: the device holds the untranslated doorbell, and its stream is translated without a mapping for it.",
  ),
  "msi-doorbell-differs": cause(
    "certain",
    "The address differs from the known doorbell {doorbell} in bits {bits} (XOR {xor}).",
  ),
  "msi-doorbell-physical": cause(
    "medium",
    "The low 16 bits are 0x0040, as in the physical address of a GIC frame: the device may have been given the physical doorbell while its stream translates. The hypervisor or firmware then has to map that page (an RMR, or a mapping of the ITS frame).",
  ),
  "msi-doorbell-unmapped": cause(
    "high",
    "The MSI page was mapped for another domain, or has been unmapped since the vector was programmed: rebinding, VFIO attach, kexec and reset do that, as does an endpoint that keeps an old MSI address.",
  ),
  "msi-doorbell-stream": cause(
    "medium",
    "The MSI may arrive under another StreamID than the one it was mapped for: compare msi-map with iommu-map, and look for a bridge that rewrites the RequesterID.",
  ),
  "msi-doorbell-next": next(
    "Compare {iova} with the MSI or MSI-X address in the device (lspci -vvv, MSI-X table) and with the doorbell in /proc/iomem; give it as --doorbell to see which bits differ.",
  ),
} as const;

const ADDRESSES = {
  "address-null": cause(
    "high",
    "Address 0 is what an unprogrammed descriptor holds: the device was started, or went on, before its ring or buffer address was written.",
  ),
  "address-near-null": cause(
    "medium",
    "An address in page 0 is a null base plus an offset: the device used a descriptor or base register that holds 0.",
  ),
  "address-error-value": cause(
    "high",
    "The address is an error value (-1 or close to it), as DMA_MAPPING_ERROR is: the driver did not check a failed mapping.",
  ),
  "address-cpu-virtual": cause(
    "high",
    "The address has the form of a kernel virtual address: the driver gave a CPU pointer to the device instead of the result of a DMA mapping.",
  ),
  "address-poison": cause(
    "high",
    "The address is made of a poison pattern: the device read its descriptor from memory that was already freed.",
  ),
  "address-too-wide": cause(
    "high",
    "The address needs {bits} bits, more than the 48 that a usual stage 1 covers: a tag in the top byte, a truncated sign extension, or a value that is no address.",
  ),
  "address-released": cause(
    "medium",
    "Linux hands out IOVAs downwards from the top of the 32-bit range, so this one was probably mapped earlier: the device still used it after dma_unmap, or ran past the end of its buffer.",
  ),
  "address-unmapped": cause(
    "low",
    "Nobody mapped this address for this stream: a physical address used without mapping, a buffer shorter than the transfer, or a device that DMAs under another StreamID than the driver's.",
  ),
} as const;

const CAUSES = {
  "permission-write": cause(
    "high",
    "A write to a read-only mapping: the buffer was mapped DMA_TO_DEVICE, or the page is read-only for the process that shares its address space.",
  ),
  "permission-read": cause(
    "medium",
    "A read that the mapping forbids: a privileged-only page reached by an unprivileged transaction, or an instruction fetch from memory that may not be executed.",
  ),
  "permission-exec": cause(
    "high",
    "An instruction fetch from memory mapped execute-never: STE.INSTCFG can make the stream's reads data.",
  ),
  "access-flag": cause(
    "high",
    "Somebody wrote the descriptor with AF=0 and relied on hardware to set it, but HTTU is not implemented or not enabled (CD.HA, STE.S2HA).",
  ),
  "address-size": cause(
    "high",
    "A descriptor holds an output address above CD.IPS or STE.S2PS: a corrupt table, the wrong granule, or tables built for a larger physical address size.",
  ),
  "walk-eabt": cause(
    "high",
    "The descriptor's address is not memory that the SMMU can read: a corrupt next-table pointer, table memory that was freed or hot-removed, or memory of another security state.",
  ),
  "fetch-abort": cause(
    "high",
    "The table's address is not memory that the SMMU can read: the base register or pointer is wrong, or the memory belongs to another security state or has been taken away.",
  ),
  "fetch-gpf": cause(
    "certain",
    "GPCF=1: the abort is a granule protection fault, so the page belongs to another world (Realm, Secure, Root).",
  ),
  "s2-in": cause(
    "high",
    "The guest gave the device an address that is not the VM's memory: IPA {ipa} has no stage 2 mapping, or not with this permission.",
  ),
  "s2-tt": cause(
    "high",
    "The guest's stage 1 tables lie where stage 2 does not let the SMMU read them (IPA {ipa}): the hypervisor did not map that guest memory, or protects it. The device's own address is not the problem.",
  ),
  "s2-tt-write": cause(
    "high",
    "The SMMU wanted to update a stage 1 descriptor (TTRnW=0) at IPA {ipa}, and stage 2 maps that page read-only.",
  ),
  "s2-cd": cause(
    "high",
    "The guest's context descriptor lies where stage 2 does not let the SMMU read it (IPA {ipa}).",
  ),
  "s2-msi": cause(
    "high",
    "The page of the virtual ITS is not mapped in stage 2: the MSI must go to the address that the host maps (an RMR window on Arm), not to the virtual ITS.",
  ),
  "sid-table-size": cause(
    "high",
    "StreamID {sid} needs {bits} bits: STRTAB_BASE_CFG.LOG2SIZE must be at least {bits}. A table that is too small, or sized with a 32-bit shift by 32, gives this event.",
  ),
  "sid-table-known": cause(
    "certain",
    "STRTAB_BASE_CFG.LOG2SIZE is {log2size}: StreamIDs from {limit} on are outside the table.",
  ),
  "sid-l1-empty": cause(
    "medium",
    "In a 2-level table the level-1 descriptor of this StreamID may be empty (Span=0), because no driver ever claimed the device.",
  ),
  "sid-unmapped": cause(
    "high",
    "No driver knows this StreamID: the root bus or device has no id mapping to this SMMU in IORT, no iommu-map entry in the device tree, or its bus number changed after they were written.",
  ),
  "ste-invalid": cause(
    "medium",
    "The device made DMA before its driver attached a domain, or after it was detached: unused entries have V=0.",
  ),
  "ste-rule": cause("certain", "The entry given for this stream breaks this rule: {rule}."),
  "ste-config": cause(
    "medium",
    "A valid entry can be illegal for this SMMU only: ask `vsmmu decode --from ste WORDS… --idr …` which rule it breaks.",
  ),
  "cd-invalid": cause(
    "medium",
    "The context descriptor was never written, was cleared while the device still ran, or lies in memory that the SMMU reads stale (coherency).",
  ),
  "cd-passthrough": cause(
    "medium",
    "In a guest with iommu.passthrough=1: an emulator that reads CD 0 although STE.S1DSS says bypass raises this event where hardware would not.",
  ),
  "substream-range": cause(
    "high",
    "The PASID is not below 2^STE.S1CDMax, or no level-1 CD descriptor covers it: PASIDs are not enabled for this device, or it used one that was never bound or is already unbound.",
  ),
  "stream-disabled": cause(
    "high",
    "PASIDs are enabled for the device, and it still makes DMA without one (or with PASID 0) while STE.S1DSS reserves that.",
  ),
  "ats-request": cause(
    "high",
    "The device has ATS enabled in its configuration space, and STE.EATS does not allow it: order of enabling and attaching, or a switch that lets ATS through.",
  ),
  uut: cause(
    "medium",
    "Atomics or other transaction types that this SMMU does not take; Reason {reason} is explained in its manual only.",
  ),
  "tlb-conflict": cause(
    "high",
    "A mapping changed its size (block to pages or back) without break-before-make, or without invalidation in between.",
  ),
  "cfg-conflict": cause(
    "high",
    "Neighbouring entries with STE.CONT set differ, or were changed without CMD_CFGI_STE for all of them.",
  ),
  "qemu-fetch-address": meaning(
    "FetchAddr is 0 and word 2 is not: QEMU writes the fetch address {address} into word 2, where the architecture has no field for this event.",
    "medium",
  ),
  "class-implausible": meaning(
    "CLASS says that a CD was being fetched, yet no IPA is given: some emulators leave CLASS 0 for faults of the input address.",
    "medium",
  ),
  "walk-seen": meaning(
    "The trace shows where the walk ended: level {level} of stage {stage} read {value} at {address}.",
    "certain",
  ),
} as const;

const NEXT = {
  "next-client": next("The kernel names the device: {client}.", "certain"),
  "next-group": next("The boot log puts {device} into IOMMU group {group}.", "certain"),
  "next-unassigned": next(
    "The kernel knows no device with this StreamID: nobody attached a domain to it.",
    "certain",
  ),
  "next-map": next(
    "Trace what is mapped: the tracepoints iommu:map and iommu:unmap (trace-cmd record -e iommu), and the driver's dma_map calls around the time of the fault.",
    "medium",
  ),
  "next-sid": next(
    "Compare StreamID {sid} with IORT id mappings (ACPI) or iommu-map (device tree), and with lspci -tv.",
  ),
  "next-ste": next("Decode the entry: `vsmmu decode --from ste WORD0 … WORD7`.", "medium"),
  "next-s2": next(
    "Look at the VM's memory map: is {ipa} guest RAM, and was it mapped for the device (iommufd, VFIO)?",
    "medium",
  ),
  "next-memory": next(
    "Compare {fetch} with /proc/iomem: is it RAM, and RAM that the SMMU may read?",
    "medium",
  ),
} as const;

const QUEUES = {
  "sync-timeout": meaning(
    "The SMMU did not finish the commands before a CMD_SYNC within a second.",
  ),
  "sync-consumed": cause(
    "medium",
    "Every command was consumed (hwcons equals hwprod), so the work was done late, or the completion was not seen: a lost SYNC interrupt, or memory that is not coherent.",
  ),
  "sync-waiting": cause(
    "medium",
    "{count} commands are still queued behind index {index}: the command there waits, usually for an ATS invalidation of a device that does not answer or has left the bus.",
  ),
  "sync-never": cause(
    "high",
    "The SMMU has consumed nothing since it was set up (hwcons is 0): its clock or power is off, or the command queue is not enabled.",
  ),
  "cmdq-ill": cause(
    "high",
    "The command is illegal for this SMMU: the driver or a VMM issued something its ID registers do not offer.",
  ),
  "cmdq-abt": cause("high", "The command queue lies in memory that the SMMU cannot read."),
  "cmdq-atc": cause(
    "high",
    "A device did not answer an ATS invalidation in time: it was reset, removed, or hangs. Its driver or slot is the place to look, not the SMMU.",
  ),
  "cmdq-stopped": meaning(
    "The command queue stops at index {index} until software acknowledges the error.",
  ),
  "gerror-active": meaning("Global errors that are active: {bits}."),
  "queue-overflow": meaning(
    "The {queue} was full and records were lost: what is printed is a sample, not the whole story.",
  ),
  "queue-overflow-next": next(
    "Look at the first records of the storm; the later ones are its consequences.",
    "medium",
  ),
  "page-request": meaning(
    "A device asked for a page (PRI) and nobody serves page requests: its driver enabled PRI without a handler.",
    "high",
  ),
  smmuv2: meaning(
    "This is an SMMUv2, not an SMMUv3: other registers, other manual (IHI0062). {what}.",
  ),
} as const;

const STORMS = {
  storm: meaning("{count} records of the same fault{addresses}{span}."),
  "storm-one-address": cause(
    "medium",
    "Always the same address: the device retries, or polls a location whose mapping is gone.",
  ),
  "storm-sweep": cause(
    "medium",
    "Rising addresses: one transfer that runs through an unmapped buffer, or past the end of a mapped one.",
  ),
  "storm-split": cause(
    "medium",
    "Neighbouring addresses: pieces of one access. QEMU, for one, reports a faulting access in pieces of at most 4 bytes.",
  ),
} as const;

/** All templates by id. */
export const HINT_TEXTS = {
  ...EVENT_MEANINGS,
  ...EVENT_KINDS,
  ...DOORBELL,
  ...ADDRESSES,
  ...CAUSES,
  ...NEXT,
  ...QUEUES,
  ...STORMS,
} as const satisfies Readonly<Record<string, HintTemplate>>;

export type HintId = keyof typeof HINT_TEXTS;
