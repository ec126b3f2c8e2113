/** Programs of the suite's ops on tiny inputs, with the right results. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import {
  batchNormTraining,
  convolution,
  cropFlip,
  logDet,
  maxPool,
  relu,
  relu6,
  roundClip,
  uniformPerturbation,
} from "../ops.ts";
import * as reference from "./reference.ts";
import { mapValues, type Values, valuesOf } from "./reference.ts";

/** One program. */
export interface Case {
  readonly inputs: Readonly<Record<string, Values>>;
  /** Inputs that are int32. */
  readonly integers?: readonly string[];
  /** True: the results must be without any error. */
  readonly exact?: boolean;
  readonly program: (inputs: Record<string, Tensor>) => Record<string, Tensor>;
  /** The results that must come of inputs, which may hold NaN and infinities: by kernel and, after a colon, its part. */
  readonly expected: (inputs: Readonly<Record<string, Values>>) => Readonly<Record<string, Values>>;
  /** Inputs that are never NaN or infinite: switches. */
  readonly plain?: readonly string[];
  /** Results that may turn a NaN into another number: an order of values has no place for it. */
  readonly orders?: readonly string[];
  /** True: a NaN or an infinity may spread to results that are finite by the formula: by a product with 0, say. */
  readonly spreads?: boolean;
}

/** Values that no formula is symmetric in, representable in float32. */
export function wave(shape: readonly number[], seed: number): Values {
  return valuesOf(shape, (i) => Math.fround(Math.sin(1.7 * i + seed) + 0.5 * Math.cos(0.3 * i * i + seed)));
}

/** The gradients of sum(dy f) by each of `by`. */
function gradients(f: (...by: Tensor[]) => Tensor, by: readonly Tensor[], dy: Tensor): Tensor[] {
  return tf.grads(f)([...by], dy);
}

function roundings(): Case {
  const x = valuesOf([12], (i) => [-9, -4.25, -4, -3.5, -0.5, -0.25, 0, 0.5, 1.5, 3, 3.25, 1e6][i]!);
  const dy = valuesOf([12], (i) => 10 ** (i % 4)), bounds = { low: -4, high: 3 };
  return {
    inputs: { x, dy },
    program: ({ x, dy }) => ({
      "RoundClip": roundClip(x!, bounds),
      "RoundClipGrad": gradients((x) => roundClip(x!, bounds), [x!], dy!)[0]!,
    }),
    spreads: true,
    expected: ({ x, dy }) => ({
      "RoundClip": mapValues(x!, (value) => Math.floor(Math.min(Math.max(value, -4), 3) + 0.5)),
      "RoundClipGrad": mapValues(dy!, (value, i) => x!.values[i]! >= -4 && x!.values[i]! <= 3 ? value : 0),
    }),
  };
}

function rectifiers(): Case {
  const x = valuesOf([8], (i) => [-7, -0.5, 0, 0.25, 5.75, 6, 6.5, 100][i]!), dy = valuesOf([8], (i) => 10 ** (i % 4));
  return {
    inputs: { x, dy },
    program: ({ x, dy }) => ({
      "Relu": relu(x!),
      "ReluGrad": gradients((x) => relu(x!), [x!], dy!)[0]!,
      "Relu6": relu6(x!),
      "Relu6Grad": gradients((x) => relu6(x!), [x!], dy!)[0]!,
    }),
    spreads: true,
    expected: ({ x, dy }) => ({
      "Relu": mapValues(x!, (value) => Math.max(value, 0)),
      "ReluGrad": mapValues(dy!, (value, i) => x!.values[i]! > 0 ? value : 0),
      "Relu6": mapValues(x!, (value) => Math.min(Math.max(value, 0), 6)),
      "Relu6Grad": mapValues(dy!, (value, i) => x!.values[i]! > 0 && x!.values[i]! < 6 ? value : 0),
    }),
  };
}

function normalisation(): Case {
  const shape = [3, 5, 4, 6], x = wave(shape, 1), dy = wave(shape, 2), gamma = wave([6], 3), beta = wave([6], 4);
  return {
    inputs: { x, dy, gamma, beta },
    program: ({ x, dy, gamma, beta }) => {
      const { y, mean, variance } = batchNormTraining(x!, gamma!, beta!, 1e-5);
      const f = (x: Tensor, gamma: Tensor, beta: Tensor) => batchNormTraining(x, gamma, beta, 1e-5).y;
      const [dx, dgamma, dbeta] = gradients(f as (...by: Tensor[]) => Tensor, [x!, gamma!, beta!], dy!);
      return {
        "BatchNormTraining: y": y,
        "BatchNormTraining: mean": mean,
        "BatchNormTraining: variance": variance,
        "BatchNormTrainingGrad: dx": dx!,
        "BatchNormTrainingGrad: dgamma": dgamma!,
        "BatchNormTrainingGrad: dbeta": dbeta!,
      };
    },
    expected: ({ x, dy, gamma, beta }) => {
      const { y, mean, variance } = reference.batchNorm({ x: x!, gamma: gamma!, beta: beta! }, 1e-5);
      const { dx, dgamma, dbeta } = reference.batchNormGradients({ x: x!, gamma: gamma!, dy: dy! }, 1e-5);
      return {
        "BatchNormTraining: y": y,
        "BatchNormTraining: mean": mean,
        "BatchNormTraining: variance": variance,
        "BatchNormTrainingGrad: dx": dx,
        "BatchNormTrainingGrad: dgamma": dgamma,
        "BatchNormTrainingGrad: dbeta": dbeta,
      };
    },
  };
}

function noise(active: 0 | 1): Case {
  const state = [123456789, -987654321, 5, 6, -7, 8], x = wave([3, 7], 5), dy = wave([3, 7], 6);
  const name = `UniformPerturbation: ${active ? "on" : "off"}`;
  return {
    inputs: { x, dy, state: valuesOf([6], (i) => state[i]!), active: valuesOf([], () => active) },
    integers: ["state"],
    program: ({ x, dy, state, active }) => {
      const f = (x: Tensor) => uniformPerturbation(x, { state: state!, stream: 3, active: active! });
      return { [name]: f(x!), [`${name}, gradient`]: gradients(f as (...by: Tensor[]) => Tensor, [x!], dy!)[0]! };
    },
    plain: ["active"],
    expected: ({ x, dy }) => ({ [name]: active ? reference.perturb(x!, state, 3) : x!, [`${name}, gradient`]: dy! }),
  };
}

/** Three images: one as it is, two cropped beyond opposite corners, one of them mirrored. */
function crops(): Case {
  const shape = [3, 5, 7, 2], [, height, width, channels] = shape as [number, number, number, number];
  const x = valuesOf(shape, (i) => (37 * i) % 251), places = [4, 4, 0, 1, 8, 0, 7, 2, 1];
  return {
    inputs: { x, places: valuesOf([3, 3], (i) => places[i]!) },
    integers: ["x", "places"],
    program: ({ x, places }) => ({ "CropFlip": cropFlip(x!, places!) }),
    expected: () => ({
      "CropFlip": valuesOf(shape, (at) => {
        const c = at % channels, pixel = Math.floor(at / channels), j = pixel % width;
        const i = Math.floor(pixel / width) % height, n = Math.floor(pixel / width / height);
        const [top, left, flip] = places.slice(3 * n) as [number, number, number];
        const row = i + top - 4, column = (flip ? width - 1 - j : j) + left - 4;
        const isInside = row >= 0 && row < height && column >= 0 && column < width;
        return isInside ? x.values[((n * height + row) * width + column) * channels + c]! : 0;
      }),
    }),
  };
}

/** Ties, and infinities and NaN or none; each window's gradient is another number, so that none can stand in for another. */
function pooling(kind: "finite" | "with NaN"): Case {
  const special = kind === "finite" ? [0] : [NaN, Infinity, -Infinity, -0],
    options = { size: 3, stride: 2, padding: 1 };
  const x = valuesOf([2, 7, 6, 3], (i) => i % 11 === 0 ? special[i / 11 % special.length]! : (i * 7) % 5);
  const dy = mapValues(reference.poolWinners(x, options), (_, i) => i + 1);
  const [y, gradient] = ["MaxPoolAxis", "MaxPoolAxisGrad"].map((kernel) => `${kernel}: 3 x 3, stride 2, ${kind}`);
  return {
    inputs: { x, dy },
    exact: true,
    program: ({ x, dy }) => ({
      [y!]: maxPool(x!, options),
      [gradient!]: gradients((x) => maxPool(x!, options), [x!], dy!)[0]!,
    }),
    expected: ({ x, dy }) => {
      const winners = reference.poolWinners(x!, options), dx = valuesOf(x!.shape);
      winners.values.forEach((place, i) => dx.values[place]! += dy!.values[i]!);
      return { [y!]: mapValues(winners, (place) => x!.values[place]!), [gradient!]: dx };
    },
  };
}

function determinants(): Case {
  const n = 5, factors = wave([3 * n * n], 7).values, dy = wave([3], 8);
  const a = valuesOf([3, n, n], (at) => {
    const k = Math.floor(at / n / n), i = Math.floor(at / n) % n, j = at % n;
    let sum = i === j ? 0.5 : 0;
    for (let m = 0; m < n; m++) sum += factors[(k * n + i) * n + m]! * factors[(k * n + j) * n + m]!;
    return Math.fround(sum);
  });
  return {
    inputs: { a, dy },
    program: ({ a, dy }) => ({
      "LogDetInverse: log det": logDet(a!),
      "LogDetInverse: gradient": gradients((a) => logDet(a!), [a!], dy!)[0]!,
    }),
    spreads: true,
    expected: ({ a, dy }) => {
      const { logDet: expected, inverse } = reference.logDetInverse(a!);
      return {
        "LogDetInverse: log det": expected,
        "LogDetInverse: gradient": mapValues(inverse, (value, at) => value * dy!.values[Math.floor(at / n / n)]!),
      };
    },
  };
}

function convolutions(
  taps: number,
  { stride, depthwise, image }: { stride: number; depthwise: boolean; image?: readonly [number, number] },
): Case {
  const x = wave([2, ...(image ?? [7, 8]), 8], 1), filter = wave([taps, taps, 8, depthwise ? 1 : 4], 2);
  const padding = { stride, padding: (taps - 1) / 2, depthwise }, y = reference.convolve(x, filter, padding);
  const dy = wave(y.shape, 3);
  const kernel = depthwise ? "DepthwiseConv2dNative" : "Conv2D", of = image ? `, image ${image[0]} x ${image[1]}` : "";
  const what = `${taps} x ${taps}, stride ${stride}${of}`;
  const names = ["", "BackpropInput", "BackpropFilter"].map((suffix) => `${kernel}${suffix}: ${what}`);
  return {
    inputs: { x, filter, dy },
    program: ({ x, filter, dy }) => {
      const f = (x: Tensor, filter: Tensor) => convolution(x, filter, { stride, depthwise });
      const [dx, dfilter] = gradients(f as (...by: Tensor[]) => Tensor, [x!, filter!], dy!);
      return { [names[0]!]: f(x!, filter!), [names[1]!]: dx!, [names[2]!]: dfilter! };
    },
    spreads: true,
    expected: ({ x, filter, dy }) => {
      const { dx, dfilter } = reference.convolveGradients({ x: x!, filter: filter!, dy: dy! }, padding);
      return { [names[0]!]: reference.convolve(x!, filter!, padding), [names[1]!]: dx, [names[2]!]: dfilter };
    },
  };
}

function dense(): Case {
  const a = wave([5, 7], 1), b = wave([7, 3], 2), dy = wave([5, 3], 3);
  return {
    inputs: { a, b, dy },
    program: ({ a, b, dy }) => {
      const [da, db] = gradients((a, b) => tf.matMul(a!, b!), [a!, b!], dy!);
      return { "MatMul": tf.matMul(a!, b!), "MatMul: gradient by a": da!, "MatMul: gradient by b": db! };
    },
    expected: ({ a, b, dy }) => ({
      "MatMul": reference.multiply(a!, b!),
      "MatMul: gradient by a": reference.multiply(dy!, reference.transpose(b!)),
      "MatMul: gradient by b": reference.multiply(reference.transpose(a!), dy!),
    }),
  };
}

function softmax(): Case {
  const x = wave([4, 7], 1), dy = wave([4, 7], 2);
  return {
    inputs: { x, dy },
    program: ({ x, dy }) => ({
      "LogSoftmax": tf.logSoftmax(x!),
      "LogSoftmax: gradient": gradients((x) => tf.logSoftmax(x!), [x!], dy!)[0]!,
    }),
    spreads: true,
    expected: ({ x, dy }) => {
      const y = reference.logSoftmax(x!);
      return {
        "LogSoftmax": y,
        "LogSoftmax: gradient": mapValues(dy!, (value, at) => {
          const row = at - at % 7, sum = dy!.values.subarray(row, row + 7).reduce((a, b) => a + b, 0);
          return value - Math.exp(y.values[at]!) * sum;
        }),
      };
    },
  };
}

/** Images of few pixels, most taps of a filter beside them. */
const SMALL_IMAGES: readonly (readonly [taps: number, stride: number, image: readonly [number, number]])[] = [
  [3, 1, [1, 1]],
  [3, 2, [1, 1]],
  [3, 1, [2, 2]],
  [3, 2, [2, 2]],
  [3, 1, [1, 2]],
  [3, 1, [2, 3]],
  [5, 1, [3, 3]],
  [5, 2, [4, 3]],
];

/** Every case of the suite's own kernels and of the layers' products. */
export function layerCases(): Case[] {
  return [
    roundings(),
    rectifiers(),
    normalisation(),
    noise(1),
    noise(0),
    crops(),
    pooling("finite"),
    pooling("with NaN"),
    determinants(),
    ...[false, true].flatMap((depthwise) => [
      ...[[1, 1], [1, 2], [3, 1], [3, 2], [5, 2]].map(([taps, stride]) =>
        convolutions(taps!, { stride: stride!, depthwise })
      ),
      ...SMALL_IMAGES.map(([taps, stride, image]) => convolutions(taps, { stride, depthwise, image })),
    ]),
    dense(),
    softmax(),
  ];
}
