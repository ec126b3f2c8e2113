/** Layers as pure functions of a context and a tensor; the quantization seam is `quantizedLayer`. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "../engine/types.ts";
import { batchNormTraining, convolution, relu, relu6 } from "../engine/ops.ts";
import { InputError } from "../errors.ts";
import type { OwnNumbers } from "../quant/types.ts";
import type { Leaves } from "../tree.ts";
import type { Context, Layer, LayerQuantization, Norm } from "./types.ts";

/** PyTorch's defaults, which the papers' code bases take. */
export const NORM_EPSILON = 1e-5;
export const NORM_MOMENTUM = 0.1;

/** Activation between two layers. */
export type Activation = "relu" | "relu6";

/** Paths of what belongs to a layer or norm. */
export const paths = {
  weight: (layer: { path: string }) => `${layer.path}/weight`,
  bias: (layer: { path: string }) => `${layer.path}/bias`,
  weightQuantizer: (layer: { path: string }) => `${layer.path}/weight_quantizer/`,
  inputQuantizer: (layer: { path: string }) => `${layer.path}/input_quantizer/`,
  gamma: (norm: { path: string }) => `${norm.path}/gamma`,
  beta: (norm: { path: string }) => `${norm.path}/beta`,
  mean: (norm: { path: string }) => `${norm.path}/mean`,
  variance: (norm: { path: string }) => `${norm.path}/variance`,
} as const;

/** True for a path under a layer's `weight_quantizer/` or `input_quantizer/`. */
export function isQuantizerPath(path: string): boolean {
  return /\/(weight|input)_quantizer\/[^/]+$/.test(path);
}

/** The parameters and constants under `prefix`, by their last name. */
export function ownLeaves(context: Pick<Context, "params" | "state">, prefix: string): Leaves<Tensor> {
  const own: Record<string, Tensor> = {};
  for (const leaves of [context.params, context.state]) {
    for (const [path, tensor] of Object.entries(leaves)) {
      if (path.startsWith(prefix)) own[path.slice(prefix.length)] = tensor;
    }
  }
  return own;
}

/** A quantizer's own tensors as numbers. */
export function ownNumbers(own: Leaves<Tensor>): OwnNumbers {
  return Object.fromEntries(Object.entries(own).map(([name, tensor]) => [name, tensor.dataSync() as Float32Array]));
}

/** The weight with its channel axis last, as quantizers want it: [k, k, 1, c] for a depthwise [k, k, c, 1]. */
export function channelsLast(layer: Layer, weight: Tensor): Tensor {
  return layer.kind === "depthwise" ? tf.reshape(weight, [layer.kernelSize, layer.kernelSize, 1, -1]) : weight;
}

function compute(context: Context, layer: Layer, operands: { input: Tensor; weight: Tensor }): Tensor {
  const { input, weight } = operands;
  if (layer.kind === "dense") {
    const bias = context.params[paths.bias(layer)]!;
    return tf.add(tf.matMul(input as tf.Tensor2D, weight as tf.Tensor2D), bias);
  }
  const y = convolution(input, weight, { stride: layer.stride, depthwise: layer.kind === "depthwise" });
  context.hooks.output?.(layer, y);
  return y;
}

/** @throws {RangeError} If a quantizer gave a tensor of another shape than it took. */
function requireSameShape(
  { path }: Layer,
  { taken, given, quantizer, part }: { taken: Tensor; given: Tensor; quantizer: LayerQuantization; part: string },
): void {
  if (tf.util.arraysEqual(taken.shape, given.shape)) return;
  const [from, to] = [taken, given].map(({ shape }) => `[${shape.join(", ")}]`);
  throw new RangeError(
    `Cannot quantize the ${part} of layer "${path}" as quantizer ${quantizer.name ?? "without a name"} gives shape ` +
      `${to} for ${from}: return the shape that it takes`,
  );
}

/** @param options.scaled The layer's input / its step size. @param options.own Of the input's quantizer. */
function quantizedLayer(
  context: Context,
  layer: Layer,
  options: { quantization: LayerQuantization; scaled: Tensor; own: Leaves<Tensor> },
): Tensor {
  const scaled = context.hooks.scaled?.(layer, options.scaled) ?? options.scaled;
  const { quantization: quantizer, own } = options;
  const input = quantizer.input.quantizeScaled(scaled, own);
  requireSameShape(layer, { taken: scaled, given: input.values, quantizer, part: "input" });
  const { values, scale } = context.hooks.input?.(layer, input) ?? input;
  const raw = channelsLast(layer, context.params[paths.weight(layer)]!);
  const quantized = quantizer.weight.apply(raw, ownLeaves(context, paths.weightQuantizer(layer)));
  requireSameShape(layer, { taken: raw, given: quantized, quantizer, part: "weight" });
  const shaped = tf.reshape(quantized, context.params[paths.weight(layer)]!.shape);
  // both scales end in the small weight: the convolution itself takes integers
  return compute(context, layer, { input: values, weight: scale ? tf.mul(shaped, scale) : shaped });
}

/** A convolution or dense layer of `input`. */
export function applyLayer(context: Context, layer: Layer, input: Tensor): Tensor {
  context.hooks.observe?.(layer, input);
  const quantization = context.quantization?.[layer.path];
  if (!quantization) return compute(context, layer, { input, weight: context.params[paths.weight(layer)]! });
  const own = ownLeaves(context, paths.inputQuantizer(layer));
  const scaled = tf.mul(input, quantization.input.inverseStep(own, input.size));
  return quantizedLayer(context, layer, { quantization, scaled, own });
}

/**
 * Batch normalisation; `factor` multiplies its result and is folded into gamma and beta.
 * @throws {InputError} In training, if a channel has one value: it has no variance.
 */
export function normalise(context: Context, norm: Norm, options: { input: Tensor; factor?: Tensor }): Tensor {
  const { input, factor } = options;
  const fold = (tensor: Tensor) => factor ? tf.mul(tensor, factor) : tensor;
  const gamma = fold(context.params[paths.gamma(norm)]!), beta = fold(context.params[paths.beta(norm)]!);
  const mean = context.state[paths.mean(norm)]!, variance = context.state[paths.variance(norm)]!;
  if (!context.training) {
    // y = a x + b: what batch normalisation is at inference
    const a = tf.mul(gamma, tf.rsqrt(tf.add(variance, NORM_EPSILON)));
    return tf.add(tf.mul(input, a), tf.sub(beta, tf.mul(mean, a)));
  }
  if (input.size === norm.channels) {
    throw new InputError(
      `Cannot train batch norm "${norm.path}" as a batch has one value a channel there (${
        input.shape.join(" x ")
      }): take ` +
        "a larger batch, or larger images",
    );
  }
  const result = batchNormTraining(input, gamma, beta, NORM_EPSILON);
  context.updates[paths.mean(norm)] = runningAverage(mean, result.mean);
  context.updates[paths.variance(norm)] = runningAverage(variance, result.variance);
  return result.y;
}

function runningAverage(running: Tensor, batch: Tensor): Tensor {
  return tf.add(tf.mul(running, 1 - NORM_MOMENTUM), tf.mul(batch, NORM_MOMENTUM));
}

export function activate(activation: Activation, x: Tensor): Tensor {
  return activation === "relu" ? relu(x) : relu6(x);
}

/**
 * layer(activation(norm(input))), where nobody else reads what lies between.
 *
 * A quantized layer then takes 1/s from the batch norm's gamma and beta, and with an unsigned quantizer its clip at 0 does
 * the relu's work: two passes over the activations fewer. A relu6 stays, as its upper bound is not the quantizer's.
 */
export function normActivationLayer(
  context: Context,
  layer: Layer,
  options: { norm: Norm; activation: Activation; input: Tensor },
): Tensor {
  const quantization = context.quantization?.[layer.path];
  if (!quantization || options.activation !== "relu") {
    return applyLayer(context, layer, activate(options.activation, normalise(context, options.norm, options)));
  }
  const own = ownLeaves(context, paths.inputQuantizer(layer));
  const factor = quantization.input.inverseStep(own, options.input.size);
  const scaled = normalise(context, options.norm, { input: options.input, factor });
  return quantizedLayer(context, layer, { quantization, scaled, own });
}
