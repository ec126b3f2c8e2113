/**
 * Differentiable operations that tfjs lacks or computes in too many passes: one kernel per direction.
 *
 * A kernel here is a tfjs kernel: every engine registers one for each name in `KERNELS`, so a program written with
 * these runs on all of them. Gradients are registered once, below. Images are NHWC; all is float32 unless said otherwise.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { GradConfig, NamedAttrMap, NamedTensorMap } from "@tensorflow/tfjs-core";
import type { Tensor } from "./types.ts";

/** Kernels that an engine must have besides tfjs's everyday ones (`engine doctor` runs each of them). */
export const KERNELS = [
  "RoundClip",
  "RoundClipGrad",
  "BatchNormTraining",
  "BatchNormTrainingGrad",
  "ReluGrad",
  "Relu6Grad",
  "UniformPerturbation",
  "CropFlip",
  "LogDetInverse",
  "MaxPoolAxis",
  "MaxPoolAxisGrad",
  "Conv2D",
  "Conv2DBackpropInput",
  "Conv2DBackpropFilter",
  "DepthwiseConv2dNative",
  "DepthwiseConv2dNativeBackpropInput",
  "DepthwiseConv2dNativeBackpropFilter",
] as const;

function run(kernel: string, inputs: Record<string, Tensor>, attrs: Record<string, unknown> = {}): Tensor[] {
  const result = tf.engine().runKernel(kernel, inputs as unknown as NamedTensorMap, attrs as NamedAttrMap);
  return Array.isArray(result) ? result as Tensor[] : [result as Tensor];
}

/** The integers that a rounding clips to: `low` <= 0 <= `high`. */
export interface RoundBounds {
  /** Lowest integer, at most 0. */
  readonly low: number;
  /** Highest integer, at least 0. */
  readonly high: number;
}

/**
 * round(clip(x, low, high)) with the straight-through estimator: gradient 1 where low <= x <= high, 0 outside.
 *
 * Conventions: ties go up, floor(x + 0.5), as in TensorFlow's FakeQuant; both bounds count as inside.
 * Kernels: `RoundClip` {x; low, high}, `RoundClipGrad` {dy, x; low, high}.
 */
export function roundClip(x: Tensor, bounds: RoundBounds): Tensor {
  return run("RoundClip", { x }, { low: bounds.low, high: bounds.high })[0]!;
}

/** Results of `batchNormTraining`; only `y` carries a gradient. */
export interface BatchNormResult {
  /** [n, h, w, c], normalised. */
  readonly y: Tensor;
  /** [c], mean of the batch. */
  readonly mean: Tensor;
  /** [c], variance of the batch with Bessel's correction n/(n - 1), what PyTorch's running variance is fed with. */
  readonly variance: Tensor;
}

/**
 * Batch normalisation by the statistics of this batch: y = gamma (x - mean) / sqrt(var + epsilon) + beta over n, h, w.
 *
 * Kernels: `BatchNormTraining` {x, gamma, beta; epsilon} -> [y, mean, variance, r1, r2, r3], the last three for
 * `BatchNormTrainingGrad` {dy, x, gamma, r1, r2, r3; epsilon} -> [dx, dgamma, dbeta] alone.
 */
export function batchNormTraining(x: Tensor, gamma: Tensor, beta: Tensor, epsilon: number): BatchNormResult {
  const [y, mean, variance] = run("BatchNormTraining", { x, gamma, beta }, { epsilon });
  return { y: y!, mean: mean!, variance: variance! };
}

/** max(x, 0); the gradient passes where x > 0. Kernels: tfjs's `Relu`, `ReluGrad` {dy, y}. */
export function relu(x: Tensor): Tensor {
  return run("Relu", { x })[0]!;
}

/** min(max(x, 0), 6); the gradient passes where 0 < x < 6. Kernels: tfjs's `Relu6`, `Relu6Grad` {dy, y}. */
export function relu6(x: Tensor): Tensor {
  return run("Relu6", { x })[0]!;
}

/** Where the noise of one tensor comes from; see `uniformPerturbation`. */
export interface NoiseSource {
  /** int32 [6]: the Philox key k0, k1 and the counter c0 to c3 of the first block. */
  readonly state: Tensor;
  /** Added to c1: one number a tensor, so that all of them can share `state`. */
  readonly stream: number;
  /** float32 scalar: 1 adds the noise, 0 leaves `x` alone (and costs no random number). */
  readonly active: Tensor;
}

/**
 * x + active u, u ~ U[-1/2, 1/2) independently for each element; the gradient is the identity.
 *
 * u is Philox4x32-10 (random/philox.ts): element 4 g + i comes from word i of the block at counter + g, as
 * (word mod 2^23) / 2^23 - 1/2, the same numbers on every engine. Kernel: `UniformPerturbation` {x, state, active; stream}.
 */
export function uniformPerturbation(x: Tensor, source: NoiseSource): Tensor {
  return run("UniformPerturbation", { x, state: source.state, active: source.active }, { stream: source.stream })[0]!;
}

/**
 * Pads images by 4 zeros (CROP_PADDING of data/augment.ts), crops them back to their size and mirrors them:
 *
 *   y[n, i, j, c] = x[n, i + top - 4, j' + left - 4, c], j' = w - 1 - j if mirrored, else j; 0 outside
 *
 * No gradient. Kernel: `CropFlip` {x, crops}.
 *
 * @param x int32 [n, h, w, c].
 * @param crops int32 [n, 3]: top and left in [0, 8], and 1 where the image is mirrored, else 0.
 * @returns int32 [n, h, w, c].
 */
export function cropFlip(x: Tensor, crops: Tensor): Tensor {
  return run("CropFlip", { x, crops })[0]!;
}

/**
 * log det of symmetric positive definite matrices, by Cholesky; the gradient is the inverse.
 *
 * Kernel: `LogDetInverse` {a} -> [log det, inverse].
 *
 * @param a [k, n, n].
 * @returns [k].
 */
export function logDet(a: Tensor): Tensor {
  return run("LogDetInverse", { a })[0]!;
}

/** One-hot rows in float32; tfjs's own `oneHot` writes integers on wasm whatever dtype it is asked for. */
export function oneHot(indices: Tensor, depth: number): Tensor {
  return tf.cast(tf.oneHot(indices as tf.Tensor1D, depth), "float32");
}

/** A convolution's geometry; kernels are square. */
export interface ConvolutionOptions {
  readonly stride: number;
  readonly depthwise?: boolean;
}

/**
 * Convolution without bias, zero-padded by (k - 1) / 2 on every side as in PyTorch (TensorFlow's SAME differs at stride 2).
 *
 * Stride 1 is SAME; otherwise the padding is made by hand, and only as much of it as is read: padding EXPLICIT would lose
 * oneDNN's gradients.
 *
 * @param x [n, h, w, c].
 * @param filter [k, k, c, out], or [k, k, c, 1] when depthwise; k odd.
 * @returns [n, ceil(h / stride), ceil(w / stride), out].
 */
export function convolution(x: Tensor, filter: Tensor, options: ConvolutionOptions): Tensor {
  const { stride, depthwise = false } = options;
  const k = filter.shape[0]!, p = (k - 1) / 2;
  const byHand = stride > 1 && k > 1;
  const tail = (size: number) => Math.max(0, (Math.ceil(size / stride) - 1) * stride + k - size - p);
  const padded = byHand ? tf.pad(x, [[0, 0], [p, tail(x.shape[1]!)], [p, tail(x.shape[2]!)], [0, 0]]) : x;
  const image = padded as tf.Tensor4D, kernel = filter as tf.Tensor4D, padding = byHand ? "valid" : "same";
  return depthwise ? tf.depthwiseConv2d(image, kernel, stride, padding) : tf.conv2d(image, kernel, stride, padding);
}

/** A pooling window's geometry; windows are square. */
export interface PoolingOptions {
  readonly size: number;
  readonly stride: number;
  /** Pixels of -infinity on every side; less than `size`. */
  readonly padding: number;
}

/** Attributes of `MaxPoolAxis`: the geometry and the axis, 1 or 2. */
export type AxisPooling = PoolingOptions & { readonly axis: number };

/** Number of windows along an axis of `length` pixels, by PyTorch's rule. */
export function pooledLength(length: number, { size, stride, padding }: PoolingOptions): number {
  return Math.floor((length + 2 * padding - size) / stride) + 1;
}

/**
 * Maximum of each window, as PyTorch's `max_pool2d`.
 *
 * A window with a NaN gives NaN. The gradient goes to one pixel: the last NaN, else the first maximum in reading order.
 * Rows are pooled before columns, which keeps that order: of the rows with the maximum the first wins, and in it the first pixel.
 * tfjs's own kernel is not used: TensorFlow's drops NaN, and wasm has no gradient.
 *
 * Kernels: `MaxPoolAxis` {x; axis, size, stride, padding} -> [y, winner], the winner's place in its window, and
 * `MaxPoolAxisGrad` {dy, winner; axis, size, stride, padding, length} -> dx, `length` pixels of x along the axis.
 *
 * @param x [n, h, w, c].
 * @returns [n, h', w', c] with h' = floor((h + 2 padding - size) / stride) + 1, w' likewise.
 * @see PyTorch 2.13, aten/src/ATen/native/cpu/MaxPoolKernel.cpp: `(val > maxval) || is_nan(val)`
 */
export function maxPool(x: Tensor, { size, stride, padding }: PoolingOptions): Tensor {
  const along = (axis: number, x: Tensor) => run("MaxPoolAxis", { x }, { axis, size, stride, padding })[0]!;
  return along(1, along(2, x));
}

const GRADIENTS: readonly GradConfig[] = [
  {
    kernelName: "RoundClip",
    inputsToSave: ["x"],
    gradFunc: (dy, [x], attrs) => ({ x: () => run("RoundClipGrad", { dy: dy as Tensor, x: x! }, attrs)[0]! }),
  },
  {
    kernelName: "BatchNormTraining",
    inputsToSave: ["x", "gamma"],
    outputsToSave: [false, false, false, true, true, true],
    gradFunc: (dy, [x, gamma, r1, r2, r3], attrs) => {
      const inputs = { dy: (dy as Tensor[])[0]!, x: x!, gamma: gamma!, r1: r1!, r2: r2!, r3: r3! };
      const [dx, dgamma, dbeta] = run("BatchNormTrainingGrad", inputs, attrs);
      return { x: () => dx!, gamma: () => dgamma!, beta: () => dbeta! };
    },
  },
  {
    kernelName: "Relu",
    outputsToSave: [true],
    gradFunc: (dy, [y]) => ({ x: () => run("ReluGrad", { dy: dy as Tensor, y: y! })[0]! }),
  },
  {
    kernelName: "Relu6",
    outputsToSave: [true],
    gradFunc: (dy, [y]) => ({ x: () => run("Relu6Grad", { dy: dy as Tensor, y: y! })[0]! }),
  },
  {
    kernelName: "UniformPerturbation",
    gradFunc: (dy, [state, active]) => ({
      x: () => dy as Tensor,
      state: () => tf.zerosLike(state!),
      active: () => tf.zerosLike(active!),
    }),
    inputsToSave: ["state", "active"],
  },
  { kernelName: "CropFlip", gradFunc: () => ({}) },
  {
    kernelName: "LogDetInverse",
    outputsToSave: [false, true],
    gradFunc: (dy, [inverse]) => ({ a: () => tf.mul(tf.reshape((dy as Tensor[])[0]!, [-1, 1, 1]), inverse!) }),
  },
  {
    kernelName: "MaxPoolAxis",
    inputsToSave: ["x"],
    outputsToSave: [false, true],
    gradFunc: (dy, [x, winner], attrs) => {
      const length = x!.shape[attrs["axis"] as unknown as number]!;
      const inputs = { dy: (dy as Tensor[])[0]!, winner: winner! };
      return { x: () => run("MaxPoolAxisGrad", inputs, { ...attrs, length })[0]! };
    },
  },
];

/** Registers the gradients above with tfjs; every engine calls it when it opens. Calling it again changes nothing. */
export function registerGradients(): void {
  // tfjs has gradients of Relu and Relu6, in two passes: ours replace them
  for (const config of GRADIENTS) tf.registerGradient(config);
}
