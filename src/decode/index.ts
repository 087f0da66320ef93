// Decoding of SMMUv3 logs, records and structures without the engine: no Wasm, no Node.
export { maskFeatures } from "./boot.ts";
export type { Topic, TopicKind } from "./catalogue.ts";
export { cerrorText, commandNameOf, decodeCommand } from "./command.ts";
export { compareIdr, type IdrComparison } from "./compare-idr.ts";
export { decodeLog, LogDecoder } from "./decode.ts";
export { decodeDescriptor, readingText } from "./descriptor.ts";
export { type Drawable, diagramText } from "./diagram.ts";
export { diagramSvg } from "./diagram-svg.ts";
export { decodeEvent, eventNameOf } from "./event.ts";
export { type Explanation, explain, suggest } from "./explain.ts";
export { explanationLines } from "./explain-text.ts";
export {
  decodeRegisters,
  decodeText,
  decodeWords,
  EXPECTED,
  INPUT_KINDS,
  type InputKind,
} from "./from.ts";
export { HINT_TEXTS, type HintTemplate } from "./hint-texts.ts";
export type { IdRegisters } from "./idr.ts";
export {
  type Json,
  recordJson,
  recordLine,
  resultJson,
  SCHEMA_NAME,
  SCHEMA_VERSION,
} from "./json.ts";
export {
  decodeRegister,
  decodeRegisterDump,
  featureTable,
  idRegistersOf,
} from "./registers.ts";
export { fieldLines, type RenderOptions, renderRecord, renderResult } from "./render.ts";
export { decodeStructure } from "./structure.ts";
export type * from "./types.ts";
export { judgeVste } from "./vste.ts";
