// Compiled engine modules and the shape of their exports.
import { engineBytes } from "./wasm-source.ts";

/** The ABI of assembly/index.ts. 64-bit values are signed BigInts when they come back. */
export interface EngineExports {
  stateBytes(): number;
  init(at: number): void;
  reset(): void;
  flushCaches(): void;
  place(which: number): number;
  configure(quirks: bigint, policy: number, mergeEvents: number): void;
  attach(root: number, base: bigint, bytes: bigint, lin: number): void;
  mmioRead(offset: number, size: number): bigint;
  mmioWrite(offset: number, size: number, value: bigint): void;
  restore(offset: number, value: number): void;
  translate(sid: number, flags: number, iova: bigint): number;
  translateBatch(requests: number, answers: number, count: number): void;
  setDoorbell(gpa: bigint): void;
  answerDoorbells(requests: number, answers: number, count: number): void;
  traceOn(on: number): void;
  traceLength(): number;
  autoConsume(on: number): void;
  step(limit: number, hold?: number): number;
  reject(code: number): void;
  executeCommand(): number;
  findSte(sid: number): number;
  appendEvent(): number;
  pending(): number;
  msis(): number;
  clearMsis(): void;
  msiAborted(source: number): void;
  counter(which: number): number;
  resetCounters(): void;
  itsBlockBytes(): number;
  itsStoreBytes(events: number): number;
  itsInit(block: number, flags: number, quirks: bigint, store: number, events: number): void;
  itsRedistributor(
    index: number,
    typer: bigint,
    propbaser: bigint,
    pendbaser: bigint,
    ctlr: number,
  ): void;
  itsMmioRead(offset: number, size: number): bigint;
  itsMmioWrite(offset: number, size: number, value: bigint): void;
  itsLoadRegister(offset: number, value: bigint): number;
  itsDeliver(deviceId: number, eventId: number): number;
  itsDeliverBatch(messages: number, count: number): void;
  itsDeliverCached(deviceId: number, eventId: number): number;
  itsSaveTables(): number;
  itsRestoreTables(): number;
}

const compiled = new Map<boolean, Promise<WebAssembly.Module>>();

/** The engine module for shared or unshared memory, compiled once. */
export function loadModule(shared: boolean): Promise<WebAssembly.Module> {
  let module = compiled.get(shared);
  if (module === undefined) {
    module = engineBytes(shared).then((bytes) => WebAssembly.compile(bytes));
    compiled.set(shared, module);
  }
  return module;
}

/** A new instance over `memory`. The module must be of the memory's kind. */
export async function instantiate(
  memory: WebAssembly.Memory,
  module: WebAssembly.Module,
): Promise<EngineExports> {
  const instance = await WebAssembly.instantiate(module, { env: { memory } });
  return instance.exports as unknown as EngineExports;
}
