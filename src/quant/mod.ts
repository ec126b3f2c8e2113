/** The quantizers: one file of this folder and one line here. */
import { unknownValue } from "../errors.ts";
import { dorefa } from "./dorefa.ts";
import { lsq } from "./lsq.ts";
import { lsqAsymmetric } from "./lsq_asymmetric.ts";
import { lsqPlus } from "./lsq_plus.ts";
import { lsqPlusRange } from "./lsq_plus_range.ts";
import { lsqUnscaled } from "./lsq_unscaled.ts";
import { pact } from "./pact.ts";
import type { Quantizer } from "./types.ts";

export const QUANTIZERS: readonly Quantizer[] = [lsq, lsqUnscaled, lsqAsymmetric, lsqPlus, lsqPlusRange, pact, dorefa];

/** @throws {InputError} If there is no quantizer of that name. */
export function quantizerNamed(name: string): Quantizer {
  const found = QUANTIZERS.find((quantizer) => quantizer.name === name);
  if (found) return found;
  throw unknownValue("quantizer", name, QUANTIZERS.map(({ name }) => name));
}
