/** Weights and images by formula, the same numbers as in test/golden/make_golden_models.py: nothing to commit. */
import { type NetworkData, type TensorData, weightShape } from "../../src/nn/initialise.ts";
import { paths } from "../../src/nn/layers.ts";
import type { Layer, Model } from "../../src/nn/types.ts";

/** MurmurHash3's finalizer. */
function mix(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** uint32 number i of a path: FNV-1a of the path, mixed with i. */
export function hashes(path: string): (i: number) => number {
  let start = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(path)) start = Math.imul(start ^ byte, 0x01000193);
  return (i) => mix(start ^ Math.imul(i, 0x9e3779b9));
}

/** Values in [-1/2, 1/2). */
export function units(path: string): (i: number) => number {
  const hash = hashes(path);
  return (i) => hash(i) / 2 ** 32 - 0.5;
}

/** float32 numbers from float64 ones. */
export function filled(shape: readonly number[], value: (i: number) => number): TensorData {
  const values = new Float32Array(shape.reduce((product, dim) => product * dim, 1));
  for (let i = 0; i < values.length; i++) values[i] = value(i);
  return { shape, values };
}

/** What the golden file adds to the formula. */
export interface Chosen {
  /** Added to beta, by norm path; 0 where it is not there. */
  readonly shifts: Readonly<Record<string, number>>;
  /** Step sizes of quantized inputs, by layer path. */
  readonly steps: Readonly<Record<string, number>>;
}

function layerWeight(layer: Layer, bits: number | null): Record<string, TensorData> {
  const shape = weightShape(layer), path = paths.weight(layer), channels = layer.outChannels;
  const fanIn = layer.kernelSize ** 2 * (layer.kind === "depthwise" ? 1 : layer.inChannels);
  const std = Math.sqrt(2 / fanIn), unit = units(path), raw = (i: number) => unit(i) * Math.sqrt(12) * std;
  if (bits === null) return { [path]: filled(shape, raw) };
  const high = 2 ** (bits - 1) - 1, fraction = units(`${layer.path}/fraction`);
  const stepPath = `${paths.weightQuantizer(layer)}step_size`, stepUnit = units(stepPath);
  const step = filled([channels], (c) => std * 0.3 * (1 + 0.4 * stepUnit(c)) * 7 / high);
  // integers plus up to 0.4: no weight near a rounding edge, nor near the bound
  const weight = filled(shape, (i) => {
    const s = step.values[i % channels]!, integer = Math.floor(raw(i) / s + 0.5), rest = 0.8 * fraction(i);
    return s * (integer + (integer >= high ? 0.1 + 0.5 * Math.abs(rest) : rest));
  });
  return { [path]: weight, [stepPath]: step };
}

/**
 * A network's start values by formula.
 * @param bits Of each layer's weight; null: full precision.
 */
export function formulaNetwork(model: Model, chosen: Chosen, bits: (layer: Layer) => number | null): NetworkData {
  const params: Record<string, TensorData> = {}, state: Record<string, TensorData> = {};
  for (const layer of model.layers) {
    Object.assign(params, layerWeight(layer, bits(layer)));
    const biasUnit = units(paths.bias(layer)), step = chosen.steps[layer.path];
    if (layer.kind === "dense") params[paths.bias(layer)] = filled([layer.outChannels], (i) => 0.2 * biasUnit(i));
    if (step !== undefined) params[`${paths.inputQuantizer(layer)}step_size`] = filled([], () => step);
  }
  for (const norm of model.norms) {
    const gamma = units(paths.gamma(norm)), beta = units(paths.beta(norm)), shift = chosen.shifts[norm.path] ?? 0;
    params[paths.gamma(norm)] = filled([norm.channels], (i) => 1 + 0.5 * gamma(i));
    params[paths.beta(norm)] = filled([norm.channels], (i) => 0.4 * beta(i) + shift);
    state[paths.mean(norm)] = filled([norm.channels], () => 0);
    state[paths.variance(norm)] = filled([norm.channels], () => 1);
  }
  return { params, state };
}

/** Standard normal in its first two moments. */
export function formulaImages(shape: readonly number[]): TensorData {
  const unit = units("images");
  return filled(shape, (i) => Math.sqrt(12) * unit(i));
}

/** What the golden file keeps of a tensor: its norm, its product with pseudo-random values, and three entries. */
export function summary(path: string, values: ArrayLike<number>): number[] {
  const probe = units(`${path}/probe`), place = hashes(`${path}/entries`);
  let squares = 0, product = 0;
  for (let i = 0; i < values.length; i++) {
    squares += values[i]! ** 2;
    product += values[i]! * probe(i);
  }
  return [Math.sqrt(squares), product, ...[0, 1, 2].map((i) => values[place(i) % values.length]!)];
}
