/** Products of a quantized layer, integers in both operands: exact in float32, and in TF32, which holds them too. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { convolution } from "../ops.ts";
import type { Case } from "./cases.ts";
import * as reference from "./reference.ts";
import { type Values, valuesOf } from "./reference.ts";

/** Integers that no formula is symmetric in, of a quantizer's range. */
function integers(shape: readonly number[], { seed, low, high }: { seed: number; low: number; high: number }): Values {
  return valuesOf(shape, (i) => low + (i * i * 31 + i * 7919 + seed) % (high - low + 1));
}

/** 8-bit operands. Every partial sum is below 2^24: 144 products of at most 255 · 128. */
export function integerCases(): Case[] {
  const x = integers([4, 8, 8, 16], { seed: 1, low: 0, high: 255 });
  const filter = integers([3, 3, 16, 8], { seed: 2, low: -128, high: 127 });
  const a = integers([6, 64], { seed: 3, low: 0, high: 255 }),
    b = integers([64, 10], { seed: 4, low: -128, high: 127 });
  return [{
    inputs: { x, filter, a, b },
    exact: true,
    program: ({ x, filter, a, b }: Record<string, Tensor>) => ({
      "Conv2D: 8-bit integers, exact": convolution(x!, filter!, { stride: 1, depthwise: false }),
      "MatMul: 8-bit integers, exact": tf.matMul(a!, b!),
    }),
    spreads: true,
    expected: ({ x, filter, a, b }) => ({
      "Conv2D: 8-bit integers, exact": reference.convolve(x!, filter!, { stride: 1, padding: 1, depthwise: false }),
      "MatMul: 8-bit integers, exact": reference.multiply(a!, b!),
    }),
  }];
}
