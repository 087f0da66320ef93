// Names of generated accessors and constants, derived from the specification's own names.

const identifier = (part: string): string =>
  part
    .replace(/<n>/g, "")
    .replace(/\[(\d+):(\d+)\]/g, "_$1_$2")
    .replace(/\[(\d+)\]/g, "$1")
    .replace(/\W+/g, "_");

const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

const fieldPart = (field: string): string => capital(field.split(".").map(identifier).join("_"));

const ownerPart = (owner: string): string => identifier(owner).replace(/_/g, "").toLowerCase();

/** "STE", "S1ContextPtr" to steS1ContextPtr. */
export const getterName = (owner: string, field: string): string =>
  ownerPart(owner) + fieldPart(field);

/** "EVENT", "StreamID" to setEventStreamID. */
export const setterName = (owner: string, field: string): string =>
  `set${capital(ownerPart(owner))}${fieldPart(field)}`;

/** "CR0", "SMMUEN" to withCr0SMMUEN. */
export const withName = (owner: string, field: string): string =>
  `with${capital(ownerPart(owner))}${fieldPart(field)}`;

/** "STE", "Config", "S1_TRANS" to STE_Config_S1_TRANS. */
export const constantName = (...parts: string[]): string =>
  parts
    .flatMap((p) => p.split("."))
    .map(identifier)
    .join("_");

/** Numbers as the generated code writes them: small ones in decimal. */
export const hex = (value: bigint): string =>
  value < 10n ? value.toString() : `0x${value.toString(16)}`;
