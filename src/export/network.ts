/** A trained network as what leaves the suite: steps, integers, grids and biases as plain numbers. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Engine } from "../engine/types.ts";
import { InputError } from "../errors.ts";
import { channelsLast, ownLeaves, ownNumbers, paths } from "../nn/layers.ts";
import type { Layer, Model, ModelQuantization } from "../nn/types.ts";
import type { Grid } from "../quant/types.ts";
import { forward, type ImageScale, normaliseImages } from "../train/forward.ts";
import type { Leaves } from "../tree.ts";
import { type Step, stepsOf } from "./steps.ts";
import { trace } from "./trace.ts";

/** Weight and input of a quantized layer. */
export interface LayerIntegers {
  /** In ONNX's layout, [out, in, k, k], depthwise [channels, 1, k, k], dense [out, in]. */
  readonly weight: Int16Array;
  readonly weightBits: number;
  /** Numbers of `scale` and `zero`: one an output channel, or one in all. */
  readonly weightGrid: Grid;
  readonly inputBits: number;
  readonly inputGrid: Grid;
}

/** A layer's weight; integers null: full precision. */
export interface LayerWeight {
  readonly shape: readonly number[];
  /** Float values that the quantizer rounds, in ONNX's layout. */
  readonly values: Float32Array;
  readonly integers: LayerIntegers | null;
}

/** A network, ready to be written. */
export interface ExportedNetwork {
  readonly steps: readonly Step[];
  /** Weights by layer path. */
  readonly weights: Readonly<Record<string, LayerWeight>>;
  readonly imageShape: readonly [number, number, number];
  readonly classes: number;
}

/** A network that is to be exported. */
export interface ExportSource {
  readonly engine: Pick<Engine, "compile">;
  readonly model: Model;
  /** Null: full precision. */
  readonly quantization: ModelQuantization | null;
  readonly network: { readonly params: Leaves<Tensor>; readonly state: Leaves<Tensor> };
  readonly imageShape: readonly [number, number, number];
  readonly scale: ImageScale;
}

/**
 * Traces the network's own forward pass and reads its integers.
 *
 * The pass is the full-precision one: there each layer reads relu(norm(x)) as it stands, where a quantized pass folds parts
 * into each other; the quantizers are added to the layers' inputs and weights.
 * @throws {InputError} If an operation or a quantizer has no form outside.
 */
export function exportedNetwork(source: ExportSource): ExportedNetwork {
  const { model, quantization, network, imageShape, scale } = source;
  const images = tf.zeros([1, ...imageShape], "int32"), levels = quantization && weightLevels(source, quantization);
  try {
    const traced = trace(
      (bytes) =>
        forward(model, null, { network, images: normaliseImages(bytes, scale), training: false, quantized: false })
          .logits,
      { images, named: { ...network.params, ...network.state } },
    );
    const weights = model.layers.map((layer): [string, LayerWeight] => {
      const weight = network.params[paths.weight(layer)]!, values = inOnnxLayout(layer, weight);
      const integers = quantization && integersOf(layer, { quantization, network, levels: levels![layer.path]! });
      return [layer.path, { shape: onnxShape(layer), values: Float32Array.from(values), integers }];
    });
    return { steps: stepsOf(traced, model), weights: Object.fromEntries(weights), imageShape, classes: model.classes };
  } finally {
    images.dispose();
  }
}

/**
 * Integers of all weights, in ONNX's layout, by a compiled program as an evaluation is: a weight within float error of a
 * rounding edge, of which an oscillating training leaves thousands, may go to the other side where ops are computed one by one.
 */
function weightLevels(
  { engine, model, network }: ExportSource,
  quantization: ModelQuantization,
): Record<string, Float32Array> {
  type Inputs = { network: { params: Leaves<Tensor>; state: Leaves<Tensor> } };
  const program = engine.compile(({ network }: Inputs) =>
    Object.fromEntries(model.layers.map((layer) => {
      const raw = channelsLast(layer, network.params[paths.weight(layer)]!);
      const own = ownLeaves(network, paths.weightQuantizer(layer));
      return [layer.path, quantization[layer.path]!.weight.levels(raw, own)];
    }))
  );
  const levels = program({ network: { params: network.params, state: network.state } });
  const found = model.layers.map((layer) => [layer.path, inOnnxLayout(layer, levels[layer.path]!)] as const);
  tf.dispose(levels);
  program.dispose();
  return Object.fromEntries(found);
}

function integersOf(layer: Layer, { quantization, network, levels }: {
  quantization: ModelQuantization;
  network: ExportSource["network"];
  levels: Float32Array;
}): LayerIntegers {
  const { weight, input } = quantization[layer.path]!;
  const own = ownLeaves(network, paths.weightQuantizer(layer)), raw = network.params[paths.weight(layer)]!;
  const weightGrid = weight.grid?.(ownNumbers(own), raw.dataSync() as Float32Array);
  const inputGrid = input.grid?.(ownNumbers(ownLeaves(network, paths.inputQuantizer(layer))));
  if (!weightGrid || !inputGrid) {
    throw new InputError(
      `Cannot export layer ${layer.path} as its quantizer states no grid: give its weight and activation a \`grid\``,
    );
  }
  return {
    weight: Int16Array.from(levels, Math.round),
    weightBits: weight.bits,
    weightGrid,
    inputBits: input.bits,
    inputGrid,
  };
}

function onnxShape({ kind, inChannels, outChannels, kernelSize: k }: Layer): number[] {
  if (kind === "dense") return [outChannels, inChannels];
  return [outChannels, kind === "depthwise" ? 1 : inChannels, k, k];
}

/** Values of a weight [k, k, in, out], depthwise [k, k, channels, 1], dense [in, out], output channels first. */
function inOnnxLayout({ kind, inChannels, outChannels, kernelSize: k }: Layer, weight: Tensor): Float32Array {
  const from = weight.dataSync() as Float32Array, inner = kind === "depthwise" ? 1 : inChannels, place = k * k;
  const to = new Float32Array(from.length);
  for (let p = 0; p < place; p++) {
    for (let i = 0; i < inner; i++) {
      for (let o = 0; o < outChannels; o++) {
        to[(o * inner + i) * place + p] = from[(p * inner + i) * outChannels + o]!;
      }
    }
  }
  return to;
}
