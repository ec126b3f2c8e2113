import { stream } from "../random/stream.ts";
import { paths } from "./layers.ts";
import type { Layer, Model } from "./types.ts";

/** A tensor as plain data, before an engine has it. */
export interface TensorData {
  /** Lengths of its axes. */
  readonly shape: readonly number[];
  /** Values in row-major order. */
  readonly values: Float32Array;
}

/** Start values of a network, by path. */
export interface NetworkData {
  /** Learned, by path. */
  readonly params: Readonly<Record<string, TensorData>>;
  /** Running statistics, by path. */
  readonly state: Readonly<Record<string, TensorData>>;
}

/** Shape of a layer's weight: [k, k, in, out], depthwise [k, k, channels, 1], dense [in, out]. */
export function weightShape(layer: Layer): number[] {
  if (layer.kind === "dense") return [layer.inChannels, layer.outChannels];
  const { kernelSize: k } = layer;
  return layer.kind === "depthwise" ? [k, k, layer.inChannels, 1] : [k, k, layer.inChannels, layer.outChannels];
}

function filled(shape: readonly number[], draw: () => number): TensorData {
  const size = shape.reduce((product, dim) => product * dim, 1);
  return { shape, values: Float32Array.from({ length: size }, draw) };
}

/**
 * Start values of a full-precision network, from streams of (seed, layer): a layer's values do not depend on the others.
 *
 * Convolutions: He normal, std = sqrt(2 / fan_out), fan_out = k² out (k² when depthwise), as torchvision's models have it
 * (He et al., ICCV 2015). Dense: weight and bias uniform in ±1/sqrt(in), PyTorch's default. Batch norm: gamma 1, beta 0.
 */
export function initialise(model: Model, seed: number): NetworkData {
  const params: Record<string, TensorData> = {}, state: Record<string, TensorData> = {};
  for (const layer of model.layers) {
    const draws = stream({ seed, purpose: "initialisation", a: layer.index });
    const shape = weightShape(layer);
    if (layer.kind === "dense") {
      const bound = 1 / Math.sqrt(layer.inChannels), draw = () => (2 * draws.uniform() - 1) * bound;
      params[paths.weight(layer)] = filled(shape, draw);
      params[paths.bias(layer)] = filled([layer.outChannels], draw);
    } else {
      const fanOut = layer.kernelSize ** 2 * (layer.kind === "depthwise" ? 1 : layer.outChannels);
      const std = Math.sqrt(2 / fanOut);
      params[paths.weight(layer)] = filled(shape, () => draws.normal() * std);
    }
  }
  for (const norm of model.norms) {
    params[paths.gamma(norm)] = filled([norm.channels], () => 1);
    params[paths.beta(norm)] = filled([norm.channels], () => 0);
    state[paths.mean(norm)] = filled([norm.channels], () => 0);
    state[paths.variance(norm)] = filled([norm.channels], () => 1);
  }
  return { params, state };
}
