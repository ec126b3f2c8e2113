/**
 * Substitutes for the suite's own kernels: tfjs's ops on its wasm backend, for `deno task dev:engine-speed`.
 *
 * A second name for the same backend gets tfjs's kernels as npm brings them, and for each kernel that only the suite has a
 * chain of tfjs's ops with the gradients worked out by hand: no slower than what tfjs derives by itself.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { KernelConfig, KernelFunc, NamedAttrMap, Tensor, Tensor1D, Tensor4D } from "@tensorflow/tfjs-core";

/** The backend's second name. */
export const PLAIN = "plain-wasm";

type Inputs = Readonly<Record<string, Tensor>>;
type Kernel = (inputs: Inputs, attrs: NamedAttrMap) => Tensor | Tensor[];

/** floor(clip(x) + 1/2) */
function roundClip({ x }: Inputs, { low, high }: NamedAttrMap): Tensor {
  return tf.floor(tf.add(tf.clipByValue(x!, low as number, high as number), 0.5));
}

/** dy where low <= x <= high */
function roundClipGrad({ dy, x }: Inputs, { low, high }: NamedAttrMap): Tensor {
  const inside = tf.logicalAnd(tf.greaterEqual(x!, low as number), tf.lessEqual(x!, high as number));
  return tf.mul(dy!, tf.cast(inside, "float32"));
}

/** The number of values a channel. */
function perChannel(x: Tensor): number {
  return x.size / x.shape.at(-1)!;
}

function batchNorm({ x, gamma, beta }: Inputs, { epsilon }: NamedAttrMap): Tensor[] {
  const { mean, variance } = tf.moments(x!, [0, 1, 2]), n = perChannel(x!);
  const scale = tf.rsqrt(tf.add(variance, epsilon as number));
  const y = tf.add(tf.mul(tf.mul(tf.sub(x!, mean), scale), gamma!), beta!);
  return [y, mean, tf.mul(variance, n / Math.max(n - 1, 1)), tf.clone(mean), scale, tf.zeros([1])];
}

function batchNormGrad({ dy, x, gamma, r1, r2 }: Inputs): Tensor[] {
  const n = perChannel(x!), z = tf.mul(tf.sub(x!, r1!), r2!);
  const dbeta = tf.sum(dy!, [0, 1, 2]), dgamma = tf.sum(tf.mul(dy!, z), [0, 1, 2]);
  const centred = tf.sub(tf.sub(dy!, tf.div(dbeta, n)), tf.mul(z, tf.div(dgamma, n)));
  return [tf.mul(centred, tf.mul(gamma!, r2!)), dgamma, dbeta];
}

function reluGrad({ dy, y }: Inputs): Tensor {
  return tf.mul(dy!, tf.cast(tf.greater(y!, 0), "float32"));
}

function logSoftmax({ logits }: Inputs): Tensor {
  const shifted = tf.sub(logits!, tf.max(logits!, -1, true));
  return tf.sub(shifted, tf.log(tf.sum(tf.exp(shifted), -1, true)));
}

/** dw = x convolved with dy, images and channels in each other's place: strides become dilations. */
function filterGradient({ x, dy }: Inputs, attrs: NamedAttrMap): Tensor {
  const shape = attrs.filterShape as [number, number, number, number], stride = [attrs.strides].flat()[0] as number;
  const info = tf.backend_util.computeConv2DInfo(
    x!.shape as [number, number, number, number],
    shape,
    stride,
    1,
    attrs.pad as "same" | "valid",
  );
  const { top, bottom, left, right } = info.padInfo;
  const image = tf.transpose(tf.pad(x!, [[0, 0], [top, bottom], [left, right], [0, 0]]), [3, 1, 2, 0]) as Tensor4D;
  const filter = tf.transpose(dy!, [1, 2, 0, 3]) as Tensor4D;
  const product = tf.conv2d(image, filter, 1, "valid", "NHWC", stride); // [channels, kh, kw, out], and a rest
  const taps = tf.slice(product, [0, 0, 0, 0], [shape[2], shape[0], shape[1], shape[3]]);
  return tf.transpose(taps, [1, 2, 0, 3]);
}

const KERNELS: Readonly<Record<string, Kernel>> = {
  RoundClip: roundClip,
  RoundClipGrad: roundClipGrad,
  BatchNormTraining: batchNorm,
  BatchNormTrainingGrad: batchNormGrad,
  ReluGrad: reluGrad,
  LogSoftmax: logSoftmax,
  Conv2DBackpropFilter: filterGradient,
};

/** A kernel made of ops; what it makes on the way is freed. */
function asKernelFunc(kernel: Kernel): KernelFunc {
  return ({ inputs, attrs }) =>
    tf.tidy(() => kernel(inputs as unknown as Inputs, attrs ?? {}) as unknown as Tensor1D) as Tensor;
}

/** tfjs's kernels of its wasm backend, as long as the suite's engine has not been opened. */
export function kernelsOfTfjs(): readonly KernelConfig[] {
  return tf.getKernelsForBackend("wasm");
}

/** Gives the backend of the opened engine its second name, with the kernels `own`. */
export async function registerPlainBackend(own: readonly KernelConfig[]): Promise<void> {
  const backend = tf.backend();
  for (const kernel of own) {
    if (!(kernel.kernelName in KERNELS)) tf.registerKernel({ ...kernel, backendName: PLAIN });
  }
  for (const [kernelName, kernel] of Object.entries(KERNELS)) {
    tf.registerKernel({ kernelName, backendName: PLAIN, kernelFunc: asKernelFunc(kernel) });
  }
  tf.registerBackend(PLAIN, () => backend, 0);
  await tf.setBackend(PLAIN); // sets the kernels up
  await tf.setBackend("wasm");
}
