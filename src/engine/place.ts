// Which part of an instance's state `place` of the engine's ABI finds (assembly/index.ts).

/** Arguments of `EngineExports.place`. */
export const PLACE = {
  registers: 0,
  result: 1,
  event: 2,
  trace: 3,
  msi: 4,
  ste: 5,
  command: 6,
} as const;
