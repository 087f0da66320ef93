// A hostile guest and a careless owner: random registers, structures, commands, requests and maps.
import type { BatchRing } from "../../src/engine/batch.ts";
import { EVENT } from "../../src/spec/event.ts";
import type { GeneratedCase } from "../property/generate.ts";
import type { Draw } from "../property/source.ts";
import type { Subject } from "../property/subject.ts";
import { R } from "./rig.ts";

const PAGE = 4096;
/** Offsets that mean something, written far more often than any other. */
const OFFSETS = Object.values(R);
const SIZES = [4, 4, 4, 8, 8, 1, 2, 3, 5, 16, 0, 255];
/** Opcodes of the architecture, and some that are none. */
const OPCODES = [
  ...[0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x10, 0x11, 0x12, 0x13, 0x18, 0x1a, 0x20, 0x21],
  ...[0x22, 0x23, 0x28, 0x2a, 0x30, 0x40, 0x41, 0x44, 0x45, 0x46, 0x46, 0x46, 0x50, 0x70, 0xff],
];
export const RING_CAPACITY = 32;

/** What a storm plays with. */
export interface Field {
  subject: Subject;
  ring: BatchRing;
  /** Pages that random structures point at, besides everything else. */
  pages: bigint[];
  case: GeneratedCase;
}

type Action = (draw: Draw, field: Field) => void;

/** An address in or near memory, seldom aligned. */
function drawAddress(draw: Draw, { pages }: Field): bigint {
  if (draw.chance(10)) return draw.u64();
  const page = draw.pick(pages);
  return BigInt.asUintN(64, page + BigInt(draw.pick([0, 0, 8, 64, draw.below(PAGE), -8, PAGE])));
}

/** A word that might be part of any structure. */
function drawWord(draw: Draw, field: Field): bigint {
  const address = drawAddress(draw, field);
  switch (draw.below(7)) {
    case 0:
      return draw.u64();
    case 1:
      // A descriptor.
      return (address & ~0xfffn) | BigInt(draw.below(0x1000)) | (BigInt(draw.below(16)) << 59n);
    case 2:
      // Words 0 and 3 of an STE, words 1 and 2 of a CD.
      return (address & ~0x3fn) | BigInt(draw.below(64)) | (BigInt(draw.below(32)) << 59n);
    case 3:
      // Word 2 of an STE: a plausible stage 2.
      return BigInt(draw.below(0x10000)) | (draw.u64() & 0x07ff_ffff_0000_0000n) | (1n << 51n);
    case 4:
      // Word 0 of a CD.
      return (draw.u64() & ~0x3fn) | BigInt(draw.between(16, 39)) | (1n << 31n) | (1n << 41n);
    case 5:
      // Word 0 of a command.
      return BigInt(draw.pick(OPCODES)) | (draw.chance(50) ? BigInt(draw.u32()) << 32n : 0n);
    default:
      return address;
  }
}

function writeMemory(draw: Draw, field: Field): void {
  const at = drawAddress(draw, field) & ~7n;
  const count = draw.pick([1, 1, 2, 8, 8, 64]);
  for (let i = 0; i < count; i++) {
    field.subject.map.writeU64(at + BigInt(i * 8), drawWord(draw, field));
  }
}

function flipBits(draw: Draw, { subject, case: c }: Field): void {
  if (c.memory.length === 0) return;
  const [at, word] = draw.pick(c.memory);
  subject.map.writeU64(at, word ^ (1n << BigInt(draw.below(64))));
}

function writeRegister(draw: Draw, field: Field): void {
  const { engine } = field.subject.smmu;
  const offset = draw.chance(85) ? draw.pick(OFFSETS) : draw.u32();
  const at = draw.chance(90) ? offset : offset + draw.below(8);
  const value = draw.pick([
    BigInt(draw.below(64)),
    BigInt(draw.u32()),
    drawAddress(draw, field) | BigInt(draw.below(32)),
    draw.u64(),
  ]);
  engine.mmioWrite(at, draw.pick(SIZES), BigInt.asIntN(64, value));
}

function readRegister(draw: Draw, { subject }: Field): void {
  const offset = draw.chance(50) ? draw.pick(OFFSETS) : draw.u32();
  subject.smmu.engine.mmioRead(offset, draw.pick(SIZES));
}

/** Control bits on, so that something happens. */
function enable(draw: Draw, { subject }: Pick<Field, "subject">): void {
  subject.smmu.writeRegister(R.GERRORN, Number(subject.smmu.readRegister(R.GERROR)));
  subject.smmu.writeRegister(R.CR0, draw.pick([13, 13, 13, 12, 5, 8, 0, 0x1df]));
}

/** The driver puts its stream table and queues back, and some of its structures. */
function settle(draw: Draw, { subject, case: c }: Field): void {
  const { smmu, map } = subject;
  smmu.writeRegister(R.CR0, 0);
  smmu.writeRegister(R.CR2, c.registers.cr2);
  smmu.writeRegister(R.STRTAB_BASE, c.registers.strtabBase, 8);
  smmu.writeRegister(R.STRTAB_BASE_CFG, c.registers.strtabBaseCfg);
  for (const [at, word] of c.memory) if (draw.chance(90)) map.writeU64(at, word);
  enable(draw, { subject });
}

/** Sixteen bytes that look like a command. */
function drawCommand(draw: Draw, { case: c }: Field): [bigint, bigint] {
  const { sid, iova } = draw.pick(c.requests);
  const first = BigInt(draw.pick(OPCODES)) | BigInt(draw.u32() & 0x03ff_f300);
  const high = draw.pick([BigInt(sid), BigInt(draw.u32()), 0n]) << 32n;
  const second = (draw.pick([iova, draw.u64(), 0n]) & ~0xfffn) | BigInt(draw.below(0x1000));
  return [first | high, second];
}

/** A proper command queue in RAM, with commands that mostly make sense. */
function sendCommands(draw: Draw, field: Field): void {
  const { smmu, map } = field.subject;
  const page = draw.pick(field.pages);
  const count = draw.between(1, 64);
  smmu.writeRegister(R.CR0, 0);
  smmu.writeRegister(R.CMDQ_BASE, page | 7n, 8);
  smmu.writeRegister(R.CMDQ_CONS, 0);
  smmu.writeRegister(R.CMDQ_PROD, count);
  for (let i = 0; i < count; i++) {
    drawCommand(draw, field).forEach((word, half) => {
      map.writeU64(page + BigInt(i * 16 + half * 8), word);
    });
  }
  enable(draw, field);
}

/** A command queue somewhere, with CONS and PROD anywhere. */
function placeQueue(draw: Draw, field: Field): void {
  const { smmu } = field.subject;
  smmu.writeRegister(R.CR0, 0);
  const log2 = draw.pick([0, 1, 3, 6, 8, 19, 31]);
  const queues = [
    [R.CMDQ_BASE, R.CMDQ_PROD, R.CMDQ_CONS],
    [R.EVENTQ_BASE, R.EVENTQ_PROD, R.EVENTQ_CONS],
  ];
  const [base, prod, cons] = draw.pick(queues);
  smmu.writeRegister(base, (drawAddress(draw, field) & ~0x1fn) | BigInt(log2), 8);
  smmu.writeRegister(cons, draw.below(2 ** Math.min(20, log2 + 2)));
  smmu.writeRegister(prod, draw.below(2 ** Math.min(20, log2 + 2)));
  enable(draw, field);
}

/** A request: of the case, or of anything. */
function drawRequest(draw: Draw, c: GeneratedCase): GeneratedCase["requests"][0] {
  const request = { ...draw.pick(c.requests) };
  if (draw.chance(30)) request.iova = draw.u64();
  if (draw.chance(10)) request.sid = draw.u32();
  if (draw.chance(10)) request.ssid = draw.u32() & 0xfffff;
  return request;
}

function translate(draw: Draw, { subject, case: c }: Field): void {
  const { smmu } = subject;
  const kind = draw.below(10);
  if (kind === 9) smmu.explain(drawRequest(draw, c));
  else if (kind === 8) smmu.translateRaw(draw.u32(), draw.u32(), draw.u64());
  else smmu.translate(drawRequest(draw, c));
}

function translateMany(draw: Draw, { ring, case: c }: Field): void {
  const count = draw.below(RING_CAPACITY + 1);
  for (let i = 0; i < count; i++) ring.set(i, drawRequest(draw, c));
  ring.run(count);
  if (count) ring.get(count - 1);
}

/** What the owner of the SMMU may call at any time. */
function own(draw: Draw, { subject }: Field): void {
  const { smmu } = subject;
  switch (draw.below(8)) {
    case 0:
      smmu.takeInterrupts();
      break;
    case 1:
      smmu.autoConsume(draw.chance(50));
      break;
    case 2:
      smmu.stepCommands(draw.below(4));
      break;
    case 3:
      smmu.rejectCommand(draw.below(256));
      break;
    case 4:
      smmu.findSte(draw.u32());
      break;
    case 5:
      smmu.appendEvent(Uint8Array.from({ length: EVENT.bytes }, () => draw.below(256)));
      break;
    case 6:
      smmu.trace(draw.chance(50));
      break;
    default:
      smmu.abortMsi({ address: 0n, data: 0, source: draw.pick(["eventq", "gerror", "cmd-sync"]) });
  }
}

/** Pages vanish, become constant, or come back as other RAM. No part of a storm: maps allocate. */
export function changeMap(draw: Draw, { subject, pages }: Field): void {
  const { map } = subject;
  const page = draw.pick(pages);
  const kind = draw.below(4);
  if (kind === 0) map.unmap(page, PAGE);
  else if (kind === 1) map.mapZero(page, PAGE);
  else if (kind === 2) map.mapOnes(page, PAGE);
  else {
    const other = draw.pick(pages);
    if (map.isWritable(other)) map.mapRam(page, PAGE, map.lin(other));
  }
}

const ACTIONS: readonly (readonly [number, Action])[] = [
  [20, translate],
  [20, writeRegister],
  [3, readRegister],
  [12, writeMemory],
  [8, flipBits],
  [8, enable],
  [6, settle],
  [4, placeQueue],
  [6, sendCommands],
  [4, translateMany],
  [4, own],
];

/** Lets a storm of `length` actions blow. */
export function storm(draw: Draw, field: Field, length: number): void {
  for (let n = 0; n < length; n++) draw.weighted(ACTIONS)(draw, field);
}
