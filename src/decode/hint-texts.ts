// Every piece of advice that the decoder can give: hint-texts.json holds the words, by rule id.
import texts from "./hint-texts.json" with { type: "json" };
import type { Confidence, HintPart } from "./types.ts";

/** A template; `{name}` is replaced by a value of the record. */
export interface HintTemplate {
  readonly part: HintPart;
  readonly confidence: Confidence;
  readonly text: string;
}

/** All templates by rule id. */
export const HINT_TEXTS = texts as Readonly<Record<string, HintTemplate>>;
