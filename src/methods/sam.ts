import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { z } from "zod";
import { isQuantizerPath } from "../nn/layers.ts";
import { POSITIVE_PARAMETERS } from "../quant/parameters.ts";
import { SMALLEST_STEP_SIZE } from "../quant/step_size.ts";
import type { Leaves } from "../tree.ts";
import { crossEntropy } from "./losses.ts";
import type { Method, MethodDefinition } from "./types.ts";

const optionsSchema = z.strictObject({
  /** rho: length of the perturbation, over all that is perturbed. */
  rho: z.number().nonnegative().default(0.05),
  /** True: parameters of quantizers (step sizes, clipping levels, offsets) are perturbed too. */
  stepSizes: z.boolean().default(false),
});
type Options = z.infer<typeof optionsSchema>;

/** Below it a gradient counts as zero and nothing is perturbed by it. */
const SMALLEST_NORM = 1e-12;

/**
 * w + rho g / ‖g‖ of the leaves that are perturbed, one norm over all of them (Eq. 2 at p = 2); the others are left out.
 *
 * A step size or clipping level stays at least 1e-6, as after an update.
 */
export function ascended(
  params: Leaves<Tensor>,
  gradients: Leaves<Tensor>,
  { rho, stepSizes }: Options,
): Record<string, Tensor> {
  const paths = Object.keys(params).filter((path) => stepSizes || !isQuantizerPath(path)).sort();
  const squares = tf.addN(paths.map((path) => tf.sum(tf.square(gradients[path]!))));
  const factor = tf.div(rho, tf.maximum(tf.sqrt(squares), SMALLEST_NORM));
  return Object.fromEntries(paths.map((path) => {
    const moved = tf.add(params[path]!, tf.mul(gradients[path]!, factor));
    const positive = POSITIVE_PARAMETERS.some((name) => path.endsWith(`/${name}`));
    return [path, positive ? tf.maximum(moved, SMALLEST_STEP_SIZE) : moved];
  }));
}

function create(options: Options): Method {
  return {
    name: "sam",
    quantized: true,
    views: 1,
    usesTeacher: false,
    loss({ student, views, labels, forward }) {
      const { logits, updates } = forward({ network: student, images: views[0]!, training: true, quantized: true });
      return { loss: crossEntropy(logits, labels), logits, updates, metrics: {} };
    },
    ascend: (params, gradients) => ascended(params, gradients, options),
  };
}

/**
 * Sharpness-aware minimization of plain quantization-aware training.
 *
 *   min over w of L(w + ε(w)),  L = CE(f_q(x), y),  ε(w) = rho ∇L(w) / ‖∇L(w)‖                              (Eq. 2, p = 2)
 *   update with ∇L at w + ε(w); ε itself carries no gradient                                          (Eq. 3, Algorithm 1)
 *
 * Both gradients are those of the fake-quantized network, straight-through. Weight decay acts at w, as the optimizer's own.
 *
 * Default: rho = 0.05 (the paper's for CIFAR-10).
 * Assumptions (the paper knows no quantizer): latent weights, biases and batch norm parameters are perturbed, what quantizers
 * learn is not, as a step size is about as large as rho and ε would then change the grid more than the weights; option
 * `stepSizes` perturbs them too. Running statistics of batch norm are those of the first pass, at w.
 *
 * @see Foret et al., ICLR 2021, arXiv:2010.01412
 */
export const sam: MethodDefinition = { name: "sam", options: optionsSchema, create };
