// Question: how many messages a second does the ITS deliver?
import { AddressMap, HostMemory } from "../../src/engine/memory.ts";
import { Its } from "../../src/gic/its.ts";
import { MessageRing } from "../../src/gic/message-ring.ts";
import { ITS_CMD } from "../../src/spec/its-command.ts";
import { GITS_BASER, GITS_CBASER } from "../../src/spec/its-register.ts";
import { bytesOf, packFields } from "../../src/spec/word.ts";
import {
  atLeast,
  type Effort,
  noteTimes,
  type Question,
  type Row,
  rateOf,
  share,
} from "../question.ts";
import { cpuTimeNs, pairedRounds } from "../rounds.ts";
import { randomNumbers } from "../world/ring.ts";

const RAM = 0x4000_0000n;
const PAGE_64K = 0x10000n;
/** Pages of 64 KiB, in order: command queue, tables, LPI configuration and pending bits, ITTs. */
const PAGE = { queue: 0n, devices: 1n, collections: 2n, config: 3n, pending: 4n, itts: 5n };
const RAM_BYTES = 0x10_0000;
const ITT_BYTES = 256n;
const CPUS = 2;
const DEVICES = 64;
const EVENT_BITS = 3;
const EVENTS = 2 ** EVENT_BITS;
const FIRST_LPI = 8192;
/** LPIs are numbers below 2^16. */
const INTID_BITS = 15n;
const ENABLED = 0xa3;
const MESSAGES = 4096;
const CALLS = 16;

const page = (name: keyof typeof PAGE): bigint => RAM + PAGE[name] * PAGE_64K;
const deviceOf = (n: number): number => 8 * (n + 1);

type Fields = Parameters<typeof packFields<keyof typeof ITS_CMD.field & string>>[1];

function command(name: keyof typeof ITS_CMD.cases, fields: Fields): Uint8Array {
  return bytesOf(packFields(ITS_CMD, { ...fields, Opcode: ITS_CMD.cases[name].value }));
}

/** Maps collections to processors, and every event of every device to an LPI of its own. */
function mappings(): Uint8Array[] {
  const out = Array.from({ length: CPUS }, (_, icid) =>
    command("ITS_MAPC", { ICID: icid, RDbase: icid, V: 1 }),
  );
  for (let n = 0; n < DEVICES; n++) {
    const DeviceID = deviceOf(n);
    const at = page("itts") + BigInt(n) * ITT_BYTES;
    const itt = { "MAPD.Size": EVENT_BITS - 1, "MAPD.ITT_addr": at, V: 1 };
    out.push(command("ITS_MAPD", { DeviceID, ...itt }));
    for (let EventID = 0; EventID < EVENTS; EventID++) {
      const pINTID = FIRST_LPI + n * EVENTS + EventID;
      out.push(command("ITS_MAPTI", { DeviceID, EventID, pINTID, ICID: (n + EventID) % CPUS }));
    }
  }
  return out;
}

/** An enabled ITS with everything mapped. */
async function mappedIts(model: "qemu" | "kvm"): Promise<{ its: Its; memory: HostMemory }> {
  const memory = HostMemory.create();
  const map = new AddressMap(memory);
  map.mapRam(RAM, RAM_BYTES);
  const its = await Its.create(memory, map, { model });
  map.writeBytes(page("config"), new Uint8Array(DEVICES * EVENTS).fill(ENABLED));
  for (let cpu = 0; cpu < CPUS; cpu++) {
    its.setRedistributor(cpu, {
      typer: BigInt(cpu) << 8n,
      propbaser: page("config") | INTID_BITS,
      pendbaser: page("pending") + BigInt(cpu) * (PAGE_64K / 2n),
      ctlr: 1,
    });
  }
  const table = (at: bigint) =>
    packFields(GITS_BASER, { Valid: 1, Page_Size: 2, Physical_Address: at })[0];
  const queue = { Valid: 1, Size: 15, Physical_Address: page("queue") };
  its.setRegister("CBASER", packFields(GITS_CBASER, queue)[0]);
  its.setRegister("BASER0", table(page("devices")));
  its.setRegister("BASER1", table(page("collections")));
  its.setRegister("CTLR", 1);
  const commands = mappings();
  for (const [i, bytes] of commands.entries()) {
    map.writeBytes(page("queue") + BigInt(i * bytes.length), bytes);
  }
  its.setRegister("CWRITER", BigInt(commands.length * commands[0].length));
  const bad = its.takeOutcomes().outcomes.find((o) => o.status !== "OK");
  if (bad) throw new Error(`the ITS refused a command: ${bad.status}`);
  return { its, memory };
}

/** A ring of messages in random order. */
function messages(memory: HostMemory): { ring: MessageRing; pairs: [number, number][] } {
  const random = randomNumbers(DEVICES);
  const ring = new MessageRing(memory, MESSAGES);
  const pairs = Array.from({ length: MESSAGES }, (): [number, number] => [
    deviceOf(Math.floor(random() * DEVICES)),
    Math.floor(random() * EVENTS),
  ]);
  for (const [i, [device, event]] of pairs.entries()) ring.set(i, device, event);
  return { ring, pairs };
}

/** Fails unless each message of the batch became what a single delivery makes of it. */
function proveEqual(its: Its, ring: MessageRing, pairs: readonly [number, number][]): void {
  its.deliverBatch(ring, ring.capacity);
  pairs.forEach(([device, event], i) => {
    const { status, lpi } = its.deliver(device, event);
    const got = ring.get(i);
    if (status !== "OK" || got.status !== status || got.lpi !== lpi) {
      throw new Error(`message ${i}: ${got.status} LPI ${got.lpi}, not ${status} LPI ${lpi}`);
    }
  });
}

async function rowOf(model: "qemu" | "kvm", effort: Effort): Promise<Row> {
  const name = model === "kvm" ? "KVM's ITS, translations cached" : "an ITS with tables in memory";
  effort.note?.(name);
  const { its, memory } = await mappedIts(model);
  const { ring, pairs } = messages(memory);
  proveEqual(its, ring, pairs);
  const calls = share(effort, CALLS);
  const batch = {
    name: "message" as const,
    pass: () => {
      const ns = cpuTimeNs(() => {
        for (let i = 0; i < calls; i++) its.deliverBatch(ring, MESSAGES);
      });
      return ns / (calls * MESSAGES);
    },
  };
  const times = await pairedRounds([batch], effort.rounds);
  return {
    name: `${name}, batched`,
    key: `${model} batched`,
    meaning: "messages delivered",
    value: rateOf(times.message),
    unit: "M/s",
    target: model === "kvm" ? atLeast(20) : undefined,
    note: noteTimes(times),
  };
}

/** Answers: what a message costs from DeviceID and EventID to a pending LPI. */
export const its: Question = {
  name: "its",
  title: "The ITS: messages from DeviceID and EventID to a pending LPI",
  async run(effort: Effort): Promise<Row[]> {
    return [await rowOf("kvm", effort), await rowOf("qemu", effort)];
  },
};
