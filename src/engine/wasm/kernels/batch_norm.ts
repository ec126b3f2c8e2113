/**
 * `BatchNormTraining` and `BatchNormTrainingGrad` of `../../ops.ts`; every sum is accumulated in float64.
 *
 * The channel is the last axis; n is the number of values in a channel.
 */
import { floatsOf, type KernelArguments, makeFloats, numberOf } from "../heap.ts";
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { addProducts, addSquares, addValues, inPieces } from "./channel_sums.ts";

/**
 * mean = sum x / n, var = sum (x - mean)^2 / n, y = gamma (x - mean) / sqrt(var + epsilon) + beta.
 *
 * @returns [y, mean, n / (n - 1) var, mean, 1 / sqrt(var + epsilon), nothing]; with n = 1 the variance is 0.
 */
export function batchNormTraining({ inputs: { x, gamma, beta }, attrs, backend }: KernelArguments): TensorInfo[] {
  const channels = x!.shape.at(-1)!, epsilon = numberOf(attrs.epsilon);
  const y = makeFloats(backend, x!.shape), unused = makeFloats(backend, [1]);
  const [mean, variance, savedMean, savedScale] = [0, 1, 2, 3].map(() => makeFloats(backend, [channels]));
  const from = floatsOf(backend, x!), to = floatsOf(backend, y), n = from.length / channels;
  const { means, variances } = moments(from, channels);
  const scales = variances.map((value) => 1 / Math.sqrt(value + epsilon));
  const slopes = scales.map((scale, c) => scale * floatsOf(backend, gamma!)[c]!);
  const shifts = Float64Array.from(floatsOf(backend, beta!));
  for (let i = 0; i < from.length;) {
    for (let c = 0; c < channels; c++, i++) to[i] = (from[i]! - means[c]!) * slopes[c]! + shifts[c]!;
  }
  floatsOf(backend, mean!).set(means);
  floatsOf(backend, variance!).set(variances.map((value) => value * n / Math.max(n - 1, 1)));
  floatsOf(backend, savedMean!).set(means);
  floatsOf(backend, savedScale!).set(scales);
  floatsOf(backend, unused).fill(0);
  return [y, mean!, variance!, savedMean!, savedScale!, unused];
}

/** Mean and biased variance of each channel, in two passes: the variance of a constant channel is exactly 0. */
function moments(values: Float32Array, channels: number): { means: Float64Array; variances: Float64Array } {
  const means = new Float64Array(channels), variances = new Float64Array(channels), n = values.length / channels;
  inPieces(values.length, channels, (c, start, end) => addValues(values, means, { c, channels, start, end }));
  for (let c = 0; c < channels; c++) means[c]! /= n;
  inPieces(
    values.length,
    channels,
    (c, start, end) => addSquares(values, { means, sums: variances }, { c, channels, start, end }),
  );
  for (let c = 0; c < channels; c++) variances[c]! /= n;
  return { means, variances };
}

/**
 * With z = (x - mean) r and r = 1 / sqrt(var + epsilon): dbeta = sum dy, dgamma = sum dy z,
 * dx = gamma r (dy - dbeta / n - z dgamma / n).
 */
export function batchNormTrainingGrad({ inputs, backend }: KernelArguments): TensorInfo[] {
  const { dy, x, gamma, r1, r2 } = inputs, channels = x!.shape.at(-1)!;
  const dx = makeFloats(backend, x!.shape), [dgamma, dbeta] = [0, 1].map(() => makeFloats(backend, [channels]));
  const values = floatsOf(backend, x!), gradient = floatsOf(backend, dy!), to = floatsOf(backend, dx);
  const means = Float64Array.from(floatsOf(backend, r1!)), scales = Float64Array.from(floatsOf(backend, r2!));
  const sums = new Float64Array(channels), products = new Float64Array(channels), n = values.length / channels;
  inPieces(
    values.length,
    channels,
    (c, start, end) => addProducts({ gradient, values, means }, { sums, products }, { c, channels, start, end }),
  );
  floatsOf(backend, dgamma!).set(products.map((product, c) => product * scales[c]!));
  floatsOf(backend, dbeta!).set(sums);
  const slopes = scales.map((scale, c) => scale * floatsOf(backend, gamma!)[c]!);
  const tilts = products.map((product, c) => product * scales[c]! ** 2 / n);
  for (let c = 0; c < channels; c++) sums[c]! /= n;
  for (let i = 0; i < values.length;) {
    for (let c = 0; c < channels; c++, i++) {
      to[i] = slopes[c]! * (gradient[i]! - sums[c]! - (values[i]! - means[c]!) * tilts[c]!);
    }
  }
  return [dx, dgamma!, dbeta!];
}
