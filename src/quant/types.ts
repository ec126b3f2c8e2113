/**
 * The quantization seam: what a layer needs to know of a quantizer.
 *
 * An activation is handed to its layer as `values * scale`, not as their product: the layer puts the scale into its own
 * small weight, so the convolution takes integers and the gradient of the step size comes out of weight-sized tensors
 * (<dy, conv(q, w s)>_s = <dW, w>) instead of a pass over the activations.
 */
import type { Tensor } from "../engine/types.ts";
import type { Leaves } from "../tree.ts";

/** x̂ = values · scale; scale is a scalar, or null where it is 1. */
export interface ScaledTensor {
  /** Integers, or integers and an offset. */
  readonly values: Tensor;
  /** Step size; null: 1. */
  readonly scale: Tensor | null;
  /** The integers behind `values`, where those are none themselves (a learned offset), for the check of an evaluation. */
  readonly levels?: Tensor;
}

/** Statistics of a tensor by calibration: one number per channel, or one in all. */
export interface TensorStatistics {
  /** Smallest value. */
  readonly min: readonly number[];
  /** Largest value. */
  readonly max: readonly number[];
  /** Mean of the magnitudes. */
  readonly meanAbsolute: readonly number[];
  /** A sample of the values themselves, where the quantizer asks for one (`startsFromValues`). */
  readonly values?: Float32Array;
}

/** Further statistics of a weight: one number per channel. */
export interface WeightStatistics extends TensorStatistics {
  /** Mean of the values. */
  readonly mean: readonly number[];
  /** Population standard deviation of the channel's values (divisor n). */
  readonly standardDeviation: readonly number[];
}

/** Start values of a quantizer, one number a channel or one in all. */
export interface QuantizerStart {
  /** Learned, by name. */
  readonly params: Readonly<Record<string, Float32Array>>;
  /** Fixed for the whole run, by name. */
  readonly constants: Readonly<Record<string, Float32Array>>;
}

/**
 * The grid that a quantizer rounds to: x̂ = (q - zero) · scale, q an integer in low .. high.
 *
 * For activations q = round(clip(x / scale + zero, low, high)). `scale` and `zero` hold one number a channel, or one in all;
 * a zero that is no integer stands for an offset (LSQ+) or for a grid without 0 (DoReFa's weights).
 */
export interface Grid {
  /** Lowest integer. */
  readonly low: number;
  /** Highest integer. */
  readonly high: number;
  /** Step size. */
  readonly scale: readonly number[];
  /** Value of q that stands for 0. */
  readonly zero: readonly number[];
}

/** A quantizer's own numbers, by name. */
export type OwnNumbers = Leaves<Float32Array>;

/** The kind of tensor that is quantized. */
export interface QuantizedTensorOptions {
  /** Bits of a value, 1 to 8. */
  readonly bits: number;
  /** True: the tensor takes negative values; the input of a layer behind a relu does not. */
  readonly signed: boolean;
}

/** Quantizes a weight, with one step size for each output channel or one in all. */
export interface WeightQuantizer {
  /** Bits of a value, 1 to 8. */
  readonly bits: number;
  /** True: a step size that an update takes below 0, here and at the input, changes its sign; else it is cut above 0. */
  readonly reflectsStepSizes?: boolean;
  /** Gives the start values. */
  start(statistics: WeightStatistics): QuantizerStart;
  /** Rounds a weight. @param weight The channel axis last. @returns The fake-quantized weight, same shape. */
  apply(weight: Tensor, own: Leaves<Tensor>): Tensor;
  /** The integers behind `apply`, for the check that at most 2^bits of them are used. */
  levels(weight: Tensor, own: Leaves<Tensor>): Tensor;
  /** The grid of `levels`, for the export of a network; a quantizer without one cannot be exported. */
  grid?(own: OwnNumbers, weight: Float32Array): Grid;
}

/** Quantizes a layer's input with one step size. */
export interface ActivationQuantizer {
  /** Bits of a value, 1 to 8. */
  readonly bits: number;
  /** True: `start` reads the values themselves, not only their range and mean. */
  readonly startsFromValues?: boolean;
  /** Gives the start values. */
  start(statistics: TensorStatistics): QuantizerStart;
  /**
   * 1 / step size, with the gradient that the quantizer gives it (LSQ's goes this way, PACT's does not): a layer before may
   * multiply its output by it, where nobody else reads that output. An unsigned quantizer then does the relu's work too.
   */
  inverseStep(own: Leaves<Tensor>, size: number): Tensor;
  /** Rounds a layer's input. @param scaled x / step size. @returns Integers (or integers and an offset), and the step size. */
  quantizeScaled(scaled: Tensor, own: Leaves<Tensor>): ScaledTensor;
  /** The grid of the rounded input, for the export of a network; a quantizer without one cannot be exported. */
  grid?(own: OwnNumbers): Grid;
}

/** A quantizer: one file of this folder and one line of `mod.ts`. */
export interface Quantizer {
  /** Name in a run spec. */
  readonly name: string;
  /** The paper. */
  readonly source: string;
  /** Makes the quantizer of a weight. */
  weight(options: QuantizedTensorOptions): WeightQuantizer;
  /** Makes the quantizer of a layer's input. */
  activation(options: QuantizedTensorOptions): ActivationQuantizer;
}
