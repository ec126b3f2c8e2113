/** The work that both sides do: the same weights, batch and recipe, in one file that both read. */
import * as tf from "@tensorflow/tfjs-core";
import type { Engine } from "../../src/engine/types.ts";
import { InputError } from "../../src/errors.ts";
import { createMethod } from "../../src/methods/mod.ts";
import type { Method, NetworkTensors, StepPosition } from "../../src/methods/types.ts";
import { initialise, type NetworkData, type TensorData } from "../../src/nn/initialise.ts";
import { isQuantizerPath } from "../../src/nn/layers.ts";
import { modelNamed } from "../../src/nn/mod.ts";
import type { Model, ModelQuantization } from "../../src/nn/types.ts";
import type { RunSpec } from "../../src/record/spec.ts";
import { inputStatistics, withQuantizers } from "../../src/train/calibration.ts";
import { readCheckpoint, writeCheckpoint } from "../../src/checkpoint/checkpoint.ts";
import { quantizationOf } from "../../src/train/quantization.ts";
import type { StepOptions, TrainingTensors } from "../../src/train/step.ts";
import { toTensors, zerosLike } from "../../src/train/tensors.ts";
import { joinLeaves, type Leaves, leavesUnder } from "../../src/tree.ts";
import { synthetic } from "../../datasets/synthetic.ts";
import { FIRST_LAST_BITS } from "../../src/plan/grid_specs.ts";
import { type Arm, ARMS, RECIPE, RULE, type Rule } from "./steps.ts";

const CALIBRATION_EXAMPLES = 32;
const SEED = 0, CLASSES = 10;
/** An image of the synthetic data set has 32 pixels a side; models of ImageNet's form get each pixel as a square of 7. */
const IMAGENET_SCALE = 7;

/** Where in a run all steps are: after every warm-up, so that each method costs what it costs for most of a run. */
const POSITION: StepPosition = { seed: SEED, step: 5000, stepsPerEpoch: 1000, epochs: 10 };

/** Data that the file holds beside its tensors; `step.py` reads it too. */
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
  readonly layers: Readonly<
    Record<string, { weightBits: number; inputBits: number; inputSigned: boolean; asymmetric: boolean }>
  >;
  readonly method: string;
  readonly options: Readonly<Record<string, number | string | boolean>>;
  /** The method's inputs of every step that is compared; no layer is perturbed in it. */
  readonly inputs: Readonly<Record<string, readonly number[]>>;
}

function parts(
  work: Pick<Work, "model" | "arm">,
): { model: Model; quantization: ModelQuantization | null; method: Method } {
  const model = modelNamed(work.model).build({ classes: CLASSES, imageChannels: 3 });
  const { quantizer, method } = ARMS[work.arm];
  const quantization: RunSpec["quantization"] = quantizer && {
    quantizer,
    weightBits: 4,
    activationBits: 4,
    firstLastBits: FIRST_LAST_BITS,
    calibrationExamples: CALIBRATION_EXAMPLES,
  };
  return { model, quantization: quantizationOf(model, quantization), method: createMethod(method) };
}

/** A step's program of our side. */
export function stepOptions(work: Work): StepOptions {
  return { ...parts(work), ...work.recipe, scale: work };
}

/**
 * The method's inputs of a step, by how many timed steps were before it. null: a step whose loss is compared, which has no
 * noise, as it cannot agree with PyTorch's.
 */
export function methodInputs(
  work: Pick<Work, "model" | "arm">,
): (timed: number | null) => Record<string, Float32Array | Int32Array> {
  const { model, method } = parts(work);
  return (timed) => {
    const values = method.stepInputs?.({ ...POSITION, step: POSITION.step + (timed ?? 0) }, model) ?? {};
    return Object.fromEntries(
      Object.entries(values).map(([name, array]) =>
        [name, timed === null && name === "sfpActive" ? new Float32Array(array.length) : array] as const
      ),
    );
  };
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

/** The images, in a second view mirrored, as float32. */
function viewOf(images: Uint8Array, options: { view: number; imageShape: readonly number[] }): Float32Array {
  const [, width, channels] = options.imageShape as [number, number, number];
  if (options.view === 0) return Float32Array.from(images);
  return Float32Array.from(images, (_, i) => {
    const pixel = Math.floor(i / channels), column = pixel % width;
    return images[(pixel - column + width - 1 - column) * channels + i % channels]!;
  });
}

/** Images with every pixel as a square of `scale` pixels a side. */
function enlarged(
  images: Uint8Array,
  [height, width, channels]: readonly [number, number, number],
  scale: number,
): Uint8Array {
  const [rows, columns] = [height * scale, width * scale];
  return Uint8Array.from({ length: images.length * scale ** 2 }, (_, i) => {
    const pixel = Math.floor(i / channels), column = pixel % columns, row = Math.floor(pixel / columns);
    const [image, y, x] = [Math.floor(row / rows), Math.floor(row % rows / scale), Math.floor(column / scale)];
    return images[((image * height + y) * width + x) * channels + i % channels]!;
  });
}

/** Writes initial weights (seed 0, damped), calibrated step sizes and a batch of the synthetic data set, as float32. */
export async function writeWork(
  engine: Engine,
  path: string,
  options: Pick<Work, "model" | "arm" | "batch" | "learningRate">,
): Promise<void> {
  const dataset = await synthetic.load({ cache: "" });
  const { batch, arm } = options, { model, quantization } = parts(options);
  const size = dataset.imageShape.reduce((product, dim) => product * dim, 1);
  const scale = options.model.endsWith("_imagenet") ? IMAGENET_SCALE : 1;
  const [height, width, channels] = dataset.imageShape as [number, number, number];
  const imageShape = [scale * height, scale * width, channels];
  if (batch > dataset.train.count) {
    throw new InputError(
      `Cannot make a batch of ${batch} as the synthetic data set has ${dataset.train.count} images: take a smaller --batch`,
    );
  }
  const images = enlarged(dataset.train.images.subarray(0, batch * size), [height, width, channels], scale);
  let network = damped(initialise(model, SEED));
  if (quantization) {
    const count = Math.min(batch, CALIBRATION_EXAMPLES);
    const seen = tf.tensor(
      Int32Array.from(images.subarray(0, count * size * scale ** 2)),
      [count, ...imageShape],
      "int32",
    );
    const tensors = { params: toTensors(network.params), state: toTensors(network.state) };
    // The running statistics of norms mean nothing in a network that was never trained.
    const inputs = inputStatistics(engine, model, { network: tensors, images: seen, scale: dataset, training: true });
    network = withQuantizers(network, model, { quantization, inputs });
    tf.dispose([seen, tensors.params, tensors.state] as unknown as tf.Tensor[]);
  }
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
        return [layer.path, {
          weightBits: weight.bits,
          inputBits: input.bits,
          inputSigned: layer.inputSigned,
          asymmetric: ARMS[arm].quantizer === "lsq_asymmetric",
        }];
      }))
      : {},
    method: ARMS[arm].method.name,
    options: ARMS[arm].method.options,
    inputs: Object.fromEntries(
      Object.entries(methodInputs(options)(null)).map(([name, values]) => [name, [...values]]),
    ),
  };
  await writeCheckpoint(path, {
    tensors: {
      ...joinLeaves({ params: network.params, state: network.state }),
      ...Object.fromEntries(Array.from({ length: parts(options).method.views }, (_, view) => [
        `images/view${view}`,
        { shape: [batch, ...imageShape], values: viewOf(images, { view, imageShape }) },
      ])),
      labels: { shape: [batch], values: Float32Array.from(dataset.train.labels.subarray(0, batch)) },
    },
    position: work,
  });
}

/** The work of a file, as tensors of the current engine. */
export async function readWork(path: string): Promise<{
  work: Work;
  training: TrainingTensors;
  teacher: NetworkTensors;
  images: Leaves<tf.Tensor>;
  labels: tf.Tensor;
}> {
  const file = await readCheckpoint<Work>(path);
  if (!file) throw new InputError(`Cannot read the work "${path}" as it is not there: run \`deno task dev:peer\``);
  const [paramsData, stateData] = ["params/", "state/"].map((prefix) => leavesUnder(file.tensors, prefix));
  const params = toTensors(paramsData!), state = toTensors(stateData!), { model, method } = parts(file.position);
  const teacherTensors = (data: Readonly<Record<string, TensorData>>) =>
    toTensors(Object.fromEntries(
      Object.entries(data).filter(([name]) => method.usesTeacher && !isQuantizerPath(name)),
    ));
  const integers = ({ shape, values }: TensorData) => tf.tensor(Int32Array.from(values), [...shape], "int32");
  return {
    work: file.position,
    training: {
      params,
      velocity: zerosLike(params),
      state,
      memory: method.initialMemory?.(model, { params, state }) ?? {},
    },
    teacher: { params: teacherTensors(paramsData!), state: teacherTensors(stateData!) },
    images: Object.fromEntries(
      Object.entries(leavesUnder(file.tensors, "images/")).map(([view, data]) => [view, integers(data)]),
    ),
    labels: integers(file.tensors["labels"]!),
  };
}
