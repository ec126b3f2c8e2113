/** The network of test/golden/make_golden_measure.py, and what PyTorch found of it. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Dataset } from "../../src/data/types.ts";
import type { Engine } from "../../src/engine/types.ts";
import { identityQuantization } from "../../src/measure/probed.ts";
import type { Subject } from "../../src/measure/types.ts";
import type { NetworkTensors } from "../../src/methods/types.ts";
import { ModelBuilder } from "../../src/nn/builder.ts";
import type { TensorData } from "../../src/nn/initialise.ts";
import { applyLayer, normActivationLayer } from "../../src/nn/layers.ts";
import type { Model, ModelQuantization } from "../../src/nn/types.ts";
import { lsq } from "../../src/quant/lsq.ts";
import { forward, normaliseImages } from "../../src/train/forward.ts";
import { toTensors } from "../../src/train/tensors.ts";
import { goldenJson } from "../support/golden.ts";

type ByLayer<Value> = Record<"conv1" | "conv2" | "dense", Value>;

interface GoldenNetwork {
  readonly weights: ByLayer<TensorData>;
  readonly bias: TensorData;
  readonly norms: Record<"norm1" | "norm2", Record<"gamma" | "beta" | "mean" | "variance", TensorData>>;
  readonly images: number[];
  readonly labels: number[];
  readonly directions: ByLayer<TensorData>;
  readonly loss: number;
  /** v_l · (g(ε v) - g(-ε v))_l / (2 ε) */
  readonly differences: ByLayer<number>;
}

interface Golden {
  readonly step: number;
  readonly full: GoldenNetwork & { readonly traces: ByLayer<number>; readonly parts: ByLayer<number> };
  readonly quantized: GoldenNetwork & {
    readonly bits: number;
    readonly stepSizes: ByLayer<Record<"input" | "weight", TensorData>>;
  };
  readonly features: {
    readonly features: TensorData;
    readonly spectrum: number[];
    readonly centredSpectrum: number[];
    readonly effectiveRank: number;
    readonly centredEffectiveRank: number;
    readonly codingLengths: Record<string, number[]>;
  };
}

export const GOLDEN = goldenJson<Golden>("measure.json");
export const LAYERS = ["conv1", "conv2", "dense"] as const;

function tinyModel(): Model {
  const builder = new ModelBuilder();
  const conv = (path: string, inChannels: number, outChannels: number) =>
    builder.layer(path, { inChannels, outChannels, kernelSize: 3, inputSigned: path === "conv1" });
  const conv1 = conv("conv1", 2, 3), norm1 = builder.norm("norm1", 3);
  const conv2 = conv("conv2", 3, 4), norm2 = builder.norm("norm2", 4);
  const dense = builder.layer("dense", { kind: "dense", inChannels: 4, outChannels: 3, inputSigned: false });
  // the mean between norm2 and dense: a layer of its own would fold relu into the dense layer's quantizer
  return {
    name: "tiny",
    classes: 3,
    layers: builder.layers,
    norms: builder.norms,
    forward(context, images) {
      const first = applyLayer(context, conv1, images);
      const second = normActivationLayer(context, conv2, { norm: norm1, activation: "relu", input: first });
      const features = tf.mean(tf.relu(normalised(context, norm2.path, second)), [1, 2]);
      return { logits: applyLayer(context, dense, features), features };
    },
  };
}

function normalised({ params, state }: NetworkTensors, path: string, x: Tensor): Tensor {
  const centred = tf.sub(x, state[`${path}/mean`]!);
  const scaled = tf.div(centred, tf.sqrt(tf.add(state[`${path}/variance`]!, 1e-5)));
  return tf.add(tf.mul(scaled, params[`${path}/gamma`]!), params[`${path}/beta`]!);
}

function datasetOf({ images, labels }: GoldenNetwork): Dataset {
  const split = { images: Uint8Array.from(images), labels: Uint8Array.from(labels), count: labels.length };
  return {
    name: "golden",
    classes: 3,
    imageShape: [5, 5, 2],
    mean: [0.5, 0.5],
    std: [0.25, 0.25],
    train: split,
    test: split,
    sha256: "golden",
  };
}

/** The full-precision or the quantized network, ready to be measured. */
export function tinySubject(engine: Engine, kind: "full" | "quantized"): { subject: Subject; network: NetworkTensors } {
  const golden = GOLDEN[kind], model = tinyModel(), dataset = datasetOf(golden);
  const params: Record<string, TensorData> = { "dense/bias": golden.bias }, state: Record<string, TensorData> = {};
  for (const layer of LAYERS) params[`${layer}/weight`] = golden.weights[layer];
  for (const [norm, { gamma, beta, mean, variance }] of Object.entries(golden.norms)) {
    Object.assign(params, { [`${norm}/gamma`]: gamma, [`${norm}/beta`]: beta });
    Object.assign(state, { [`${norm}/mean`]: mean, [`${norm}/variance`]: variance });
  }
  let quantization: ModelQuantization = identityQuantization(model);
  if (kind === "quantized") {
    const { bits, stepSizes } = GOLDEN.quantized;
    quantization = Object.fromEntries(model.layers.map(({ path, inputSigned }) => [path, {
      weight: lsq.weight({ bits, signed: true }),
      input: lsq.activation({ bits, signed: inputSigned }),
    }]));
    for (const layer of LAYERS) {
      params[`${layer}/weight_quantizer/step_size`] = stepSizes[layer].weight;
      params[`${layer}/input_quantizer/step_size`] = stepSizes[layer].input;
    }
  }
  const indices = Uint32Array.from(golden.labels, (_, i) => i);
  return {
    subject: {
      engine,
      dataset,
      model,
      quantization,
      quantized: kind === "quantized",
      trainingIndices: indices,
      testIndices: indices,
    },
    network: { params: toTensors(params), state: toTensors(state) },
  };
}

/** All images, normalised, and their labels. */
export function everything({ dataset }: Subject): { images: Tensor; labels: Uint8Array } {
  const { images, labels, count } = dataset.train;
  const bytes = tf.tensor(Int32Array.from(images), [count, ...dataset.imageShape], "int32");
  return { images: normaliseImages(bytes, dataset), labels: Uint8Array.from(labels) };
}

/** Mean cross-entropy and accuracy in percent, from the definitions. */
export function scores(subject: Subject, network: NetworkTensors): { loss: number; top1Percent: number } {
  const { images, labels } = everything(subject);
  const { logits } = forward(subject.model, subject.quantization, {
    network,
    images,
    training: false,
    quantized: true,
  });
  const rows = logits.arraySync() as number[][];
  let loss = 0, hits = 0;
  rows.forEach((row, i) => {
    loss += Math.log(row.reduce((sum, value) => sum + Math.exp(value), 0)) - row[labels[i]!]!;
    if (row.indexOf(Math.max(...row)) === labels[i]) hits++;
  });
  return { loss: loss / rows.length, top1Percent: 100 * hits / rows.length };
}
