/**
 * Quantizers of weights and activations: one file of this folder and one line here.
 *
 * A quantizer of your own is an object of type `Quantizer`, made of the same parts as these.
 *
 * @example Round a weight to 2 bits, with a step size for each of its 2 channels
 * ```ts
 * import { openEngine } from "@requant/requant/engine";
 * import { quantizerNamed } from "@requant/requant/quant";
 * import { tensor } from "npm:@tensorflow/tfjs-core@4.22.0";
 * import assert from "node:assert/strict";
 *
 * await openEngine("wasm");
 * const lsq = quantizerNamed("lsq").weight({ bits: 2, signed: true });
 * const weight = tensor([[0.9, -4], [-0.4, 3], [0.1, -1], [-1.8, 0.2]]); // [4 inputs, 2 channels]
 * const stepSizes = { step_size: tensor([1, 2]) };
 * assert.deepEqual(await lsq.levels(weight, stepSizes).array(), [[1, -2], [0, 1], [0, 0], [-2, 0]]);
 * assert.deepEqual(await lsq.apply(weight, stepSizes).array(), [[1, -4], [0, 2], [0, 0], [-2, 0]]);
 * ```
 * @module
 */
import { unknownValue } from "../errors.ts";
import { dorefa } from "./dorefa.ts";
import { lsq } from "./lsq.ts";
import { lsqAsymmetric } from "./lsq_asymmetric.ts";
import { lsqPlus } from "./lsq_plus.ts";
import { lsqPlusRange } from "./lsq_plus_range.ts";
import { lsqUnscaled } from "./lsq_unscaled.ts";
import { pact } from "./pact.ts";
import type { Quantizer } from "./types.ts";

export { type RoundBounds, roundClip } from "../engine/ops.ts";
export type { Tensor } from "../engine/types.ts";
export type { Leaves } from "../tree.ts";
export {
  gradientScale,
  holdGradient,
  inverseStepSize,
  requireBits,
  scaleGradient,
  SMALLEST_STEP_SIZE,
  STEP_SIZE,
} from "./step_size.ts";
export type * from "./types.ts";

/** All quantizers that a run spec can name. */
export const QUANTIZERS: readonly Quantizer[] = [lsq, lsqUnscaled, lsqAsymmetric, lsqPlus, lsqPlusRange, pact, dorefa];

/** Finds a quantizer. @throws {InputError} If there is no quantizer of that name. */
export function quantizerNamed(name: string): Quantizer {
  const found = QUANTIZERS.find((quantizer) => quantizer.name === name);
  if (found) return found;
  throw unknownValue("quantizer", name, QUANTIZERS.map(({ name }) => name));
}
