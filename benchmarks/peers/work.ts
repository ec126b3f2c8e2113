/** The work that both sides do: the same weights, batch and recipe, in one file that both read. */
import * as tf from "@tensorflow/tfjs-core";
import type { Engine } from "../../src/engine/types.ts";
import { InputError } from "../../src/errors.ts";
import { createMethod } from "../../src/methods/mod.ts";
import { initialise, type NetworkData, type TensorData } from "../../src/nn/initialise.ts";
import { modelNamed } from "../../src/nn/mod.ts";
import type { Model, ModelQuantization } from "../../src/nn/types.ts";
import type { TensorStatistics } from "../../src/quant/types.ts";
import type { RunSpec } from "../../src/runs/spec.ts";
import { withQuantizers } from "../../src/train/calibration.ts";
import { readCheckpoint, writeCheckpoint } from "../../src/train/checkpoint.ts";
import { forward, type ImageScale, normaliseImages } from "../../src/train/forward.ts";
import { quantizationOf } from "../../src/train/quantization.ts";
import type { StepOptions, TrainingTensors } from "../../src/train/step.ts";
import { toTensors, zerosLike } from "../../src/train/tensors.ts";
import { leavesUnder } from "../../src/tree.ts";
import { synthetic } from "../../datasets/synthetic.ts";

/** What is trained: full precision, or LSQ W4A4 with 8 bits in the first and the last layer. */
export const ARMS = ["fp", "lsq_w4a4"] as const;
export type Arm = typeof ARMS[number];

/**
 * Models that are measured, their batch size, and a learning rate at which three steps change the loss by several times
 * the tolerance, but do not yet blow float error up (MobileNetV2 at 0.05: PyTorch's float32 and float64 differ by 1 %).
 */
export const PEER_MODELS = [
  { model: "resnet20", batch: 128, learningRate: 0.02 },
  { model: "resnet18", batch: 64, learningRate: 0.002 },
  { model: "mobilenetv2", batch: 128, learningRate: 0.002 },
] as const;

/** How long a side is measured; the same for all. */
export interface Rule {
  /** Steps before the clock counts; the losses of the first ones are compared. */
  readonly warmupSteps: number;
  /** Then at least so many steps, */
  readonly leastSteps: number;
  /** and more while they began within so many seconds, */
  readonly seconds: number;
  /** up to so many. */
  readonly mostSteps: number;
}

export const RULE: Rule = { warmupSteps: 3, leastSteps: 5, seconds: 5, mostSteps: 30 };

/** Recipe of the steps, but for the learning rate. */
export const RECIPE = { momentum: 0.9, weightDecay: 5e-4 } as const;

const QUANTIZATION: RunSpec["quantization"] = {
  quantizer: "lsq",
  weightBits: 4,
  activationBits: 4,
  firstLastBits: 8,
  calibrationExamples: 32,
};
const SEED = 0, CLASSES = 10;

/** What the file says beside its tensors; `step.py` reads it too. */
export interface Work {
  readonly model: string;
  readonly arm: Arm;
  readonly batch: number;
  readonly learningRate: number;
  readonly classes: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly recipe: typeof RECIPE;
  readonly rule: Rule;
  /** Quantizers by layer path; empty in full precision. */
  readonly layers: Readonly<Record<string, { weightBits: number; inputBits: number; inputSigned: boolean }>>;
}

function parts(work: Pick<Work, "model" | "arm">): { model: Model; quantization: ModelQuantization | null } {
  const model = modelNamed(work.model).build({ classes: CLASSES, imageChannels: 3 });
  return { model, quantization: quantizationOf(model, work.arm === "fp" ? null : QUANTIZATION) };
}

/** A step's program of our side. */
export function stepOptions(work: Work): StepOptions {
  const method = createMethod({ name: work.arm === "fp" ? "fp" : "qat", options: {} });
  return { ...parts(work), ...work.recipe, method, scale: work };
}

/** The last norm of a residual block: its gamma scales what the block adds to its input. */
const LAST_NORM = /\/(norm2|project_norm)\/gamma$/, LAST_GAMMA = 0.1;

/**
 * Lets residual blocks add little at first, a usual start. At random weights low-bit networks are chaotic: float error flips
 * a few roundings, and these spread: PyTorch's own losses of a ResNet-20 batch in two orders differ by 0.3 %, damped by 0.02 %.
 */
function damped(network: NetworkData): NetworkData {
  const params = Object.entries(network.params).map(([path, data]) =>
    [path, LAST_NORM.test(path) ? { ...data, values: data.values.map((value) => LAST_GAMMA * value) } : data] as const
  );
  return { ...network, params: Object.fromEntries(params) };
}

/**
 * Statistics of every layer's input in a full-precision pass by the statistics of the batch: the running ones, which
 * `src/train/calibration.ts` takes, mean nothing in a network that was never trained.
 */
function inputStatistics(
  engine: Engine,
  model: Model,
  options: { network: NetworkData; seen: tf.Tensor; scale: ImageScale },
): TensorStatistics[] {
  const network = { params: toTensors(options.network.params), state: toTensors(options.network.state) };
  const program = engine.compile((inputs: { network: typeof network; images: tf.Tensor }) => {
    const rows: tf.Tensor[] = [];
    forward(model, null, {
      network: inputs.network,
      images: normaliseImages(inputs.images, options.scale),
      training: true,
      quantized: false,
      hooks: { observe: (_, x) => void rows.push(tf.stack([tf.min(x), tf.max(x), tf.mean(tf.abs(x))])) },
    });
    return { rows: tf.stack(rows) }; // [layers, 3]
  });
  const { rows } = program({ network, images: options.seen });
  const values = rows.dataSync();
  tf.dispose([rows, network.params, network.state] as unknown as tf.Tensor[]);
  program.dispose();
  return model.layers.map((_, i) => ({
    min: [values[3 * i]!],
    max: [values[3 * i + 1]!],
    meanAbsolute: [values[3 * i + 2]!],
  }));
}

/** Writes initial weights (seed 0, damped), calibrated step sizes and a batch of the synthetic data set, as float32. */
export async function writeWork(
  engine: Engine,
  path: string,
  options: Pick<Work, "model" | "arm" | "batch" | "learningRate">,
): Promise<void> {
  const dataset = await synthetic.load({ cache: "" });
  const { batch } = options, { model, quantization } = parts(options);
  const size = dataset.imageShape.reduce((product, dim) => product * dim, 1);
  if (batch > dataset.train.count) {
    throw new InputError(
      `Cannot make a batch of ${batch} as the synthetic data set has ${dataset.train.count} images: take a smaller --batch`,
    );
  }
  const images = dataset.train.images.subarray(0, batch * size);
  let network = damped(initialise(model, SEED));
  if (quantization) {
    const count = Math.min(batch, QUANTIZATION!.calibrationExamples);
    const seen = tf.tensor(Int32Array.from(images.subarray(0, count * size)), [count, ...dataset.imageShape], "int32");
    network = withQuantizers(network, model, {
      quantization,
      inputs: inputStatistics(engine, model, { network, seen, scale: dataset }),
    });
    seen.dispose();
  }
  const named = (kind: string, leaves: Readonly<Record<string, TensorData>>) =>
    Object.entries(leaves).map(([name, data]) => [`${kind}/${name}`, data] as const);
  const work: Work = {
    ...options,
    classes: CLASSES,
    mean: dataset.mean,
    std: dataset.std,
    recipe: RECIPE,
    rule: RULE,
    layers: quantization
      ? Object.fromEntries(model.layers.map((layer) => {
        const { weight, input } = quantization[layer.path]!;
        return [layer.path, { weightBits: weight.bits, inputBits: input.bits, inputSigned: layer.inputSigned }];
      }))
      : {},
  };
  await writeCheckpoint(path, {
    tensors: {
      ...Object.fromEntries([...named("params", network.params), ...named("state", network.state)]),
      images: { shape: [batch, ...dataset.imageShape], values: Float32Array.from(images) },
      labels: { shape: [batch], values: Float32Array.from(dataset.train.labels.subarray(0, batch)) },
    },
    position: work,
  });
}

/** The work of a file, as tensors of the current engine. */
export async function readWork(path: string): Promise<{
  work: Work;
  training: TrainingTensors;
  images: tf.Tensor;
  labels: tf.Tensor;
}> {
  const file = await readCheckpoint<Work>(path);
  if (!file) throw new InputError(`Cannot read the work "${path}" as it is not there: run \`deno task peer\``);
  const params = toTensors(leavesUnder(file.tensors, "params/"));
  const { images, labels } = file.tensors;
  return {
    work: file.position,
    training: {
      params,
      velocity: zerosLike(params),
      state: toTensors(leavesUnder(file.tensors, "state/")),
      memory: {},
    },
    images: tf.tensor(Int32Array.from(images!.values), [...images!.shape], "int32"),
    labels: tf.tensor1d(Int32Array.from(labels!.values), "int32"),
  };
}
