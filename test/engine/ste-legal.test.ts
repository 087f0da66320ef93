// STEs that are ILLEGAL for the SMMU they are read by: ATS, the intermediate address size (IHI0070
// 3.4, 5.2).
import { describe, expect, test } from "vitest";
import { STE } from "../../src/spec/ste.ts";
import { bytesOf, setField } from "../../src/spec/word.ts";
import { idWith, Rig, STRTAB } from "./rig.ts";
import { look, nested, OLD, PAGE, type Stage1, stage1, stage2 } from "./streams.ts";

const VA = 0x1234_5000n;
const SID = 3;
const SHAPE: Stage1 & { vmid: number } = { sid: SID, asid: 1, vmid: 2 };

/** Changes fields of an STE in memory. */
function change(rig: Rig, sid: number, fields: Partial<Record<"EATS" | "S2S", number>>): void {
  const at = STRTAB + BigInt(sid * STE.bytes);
  const words = Array.from({ length: 8 }, (_, i) => rig.read64(at + BigInt(i * 8)));
  for (const [name, value] of Object.entries(fields)) setField(STE, words, name as "EATS", value);
  rig.map.writeBytes(at, bytesOf(words));
}

/** A stream of Config 5, 6 or 7 that maps VA. */
function stream(rig: Rig, config: number): void {
  if (config === 5) stage1(rig, SHAPE).map(VA);
  if (config === 6) stage2(rig, SHAPE).map(VA);
  if (config === 7) {
    const [first, second] = nested(rig, SHAPE);
    first.map(VA);
    second.map(OLD + VA, PAGE);
  }
}

/** EATS=1 excludes stage 2 stalls, EATS=2 is for nested streams without them; 3 is as 0 (5.2). */
function eatsLegal(eats: number, config: number, stalls: number, noSplit: number): boolean {
  if (eats === 1) return config === 5 || stalls === 0;
  return eats !== 2 || (config === 7 && stalls === 0 && noSplit === 0);
}

describe("STE.EATS", () => {
  const settings = [0, 1].flatMap((ATS) => [0, 1].map((NS1ATS) => ({ ATS, NS1ATS })));
  test.each(settings)("with ATS=$ATS, NS1ATS=$NS1ATS", async ({ ATS, NS1ATS }) => {
    const id = idWith({ IDR0: { ATS, NS1ATS, STALL_MODEL: 0 } });
    const rig = await Rig.ready({ id, cache: "none" });
    for (const config of [5, 6, 7]) {
      stream(rig, config);
      for (const EATS of [0, 1, 2, 3]) {
        for (const S2S of [0, 1]) {
          change(rig, SID, { EATS, S2S });
          const legal = ATS === 0 || eatsLegal(EATS, config, S2S, NS1ATS);
          const name = `Config ${config} EATS ${EATS} S2S ${S2S}`;
          expect(look(rig, SID, VA), name).toBe(legal ? "old" : "C_BAD_STE");
        }
      }
    }
  });
});

test.each([
  ["the output size where tables are VMSAv8-64 alone", 2, 36],
  ["40 bits at least where LPAE tables exist too", 3, 40],
] as const)("S2T0SZ reaches as far as %s", async (_, TTF, bits) => {
  const rig = await Rig.ready({ id: idWith({ IDR0: { TTF }, IDR5: { OAS: 1 } }), cache: "none" });
  for (let inputBits = 34; inputBits <= 42; inputBits++) {
    stage2(rig, { ...SHAPE, inputBits });
    const expected = inputBits <= bits ? "F_TRANSLATION" : "C_BAD_STE";
    expect(look(rig, SID, VA), `${inputBits} bits`).toBe(expected);
  }
});
