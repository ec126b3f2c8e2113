import * as tf from "@tensorflow/tfjs-core";
import { z } from "zod";
import { averagingFactor, runningAverage } from "./averaging.ts";
import { crossEntropy, klDivergence } from "./losses.ts";
import type { Method, MethodDefinition, StepPosition } from "./types.ts";

const optionsSchema = z.strictObject({
  /** w_max: weight of the consistency loss after its ramp. */
  weight: z.number().nonnegative().default(1),
  /** Upper bound of the averaging factor. */
  alpha: z.number().min(0).max(1).default(0.999),
  /** E_r: length of the ramp in epochs; at most half the run is taken. */
  rampEpochs: z.number().nonnegative().default(5),
});
type Options = z.infer<typeof optionsSchema>;

/** w(e) = w_max exp(-5 (1 - e / E_r)²) while e < E_r, then w_max; e in epochs, with fractions (Mean Teacher). */
export function rampedWeight(epoch: number, { weight, rampEpochs }: Pick<Options, "weight" | "rampEpochs">): number {
  if (epoch >= rampEpochs) return weight;
  return weight * Math.exp(-5 * (1 - epoch / rampEpochs) ** 2);
}

const TEACHER = runningAverage("teacher");

function create(options: Options): Method {
  return {
    name: "cr",
    quantized: true,
    views: 2,
    usesTeacher: false,
    initialMemory: (_model, student) => TEACHER.start(student),
    stepInputs({ step, stepsPerEpoch, epochs }: StepPosition) {
      // a ramp longer than half the run would never reach its weight for long: it then takes half the run
      const rampEpochs = Math.min(options.rampEpochs, epochs / 2);
      return {
        crWeight: Float32Array.of(rampedWeight(step / stepsPerEpoch, { weight: options.weight, rampEpochs })),
        crAlpha: Float32Array.of(averagingFactor(step + 1, options.alpha)),
      };
    },
    loss({ student, memory, inputs, views, labels, forward }) {
      const { logits, updates } = forward({ network: student, images: views[0]!, training: true, quantized: true });
      const target = forward({ network: TEACHER.network(memory), images: views[1]!, training: false, quantized: true });
      const task = crossEntropy(logits, labels), consistency = klDivergence(logits, target.logits);
      const loss = tf.add(task, tf.mul(consistency, tf.reshape(inputs["crWeight"]!, [])));
      return { loss, logits, updates, metrics: { taskLoss: task, consistencyLoss: consistency } };
    },
    afterUpdate: ({ memory, student, inputs }) =>
      TEACHER.next(memory, { network: student, factor: inputs["crAlpha"]! }),
  };
}

/**
 * CR-like: consistency regularization with an averaged teacher. A STAND-IN: of the paper only abstracts and summaries are
 * known to us, so this is Mean Teacher applied to quantization-aware training, and no number of it is the paper's method.
 *
 *   L = CE(f_s(v1), y) + w(e) KL(softmax f_t(v2) ‖ softmax f_s(v1)),  mean over the batch, no gradient to f_t
 *   θ_t <- a θ_t + (1 - a) θ_s after each update,  a = min(1 - 1/(t + 1), alpha)
 *   w(e) = w_max exp(-5 (1 - e/E_r)²) for e < E_r, then w_max
 *
 * Defaults: w_max 1, alpha 0.999, E_r 5 epochs, at most half the run.
 * Assumptions: v1, v2 are two independent draws of the baseline's own crop and flip; the teacher is the same fake-quantized
 * network on averaged latent weights, step sizes and batch norm statistics, in inference mode (EMAN); it starts as a copy of
 * the calibrated student; KL on the logits at temperature 1, no confidence mask. The student is what is reported.
 *
 * @see Pang et al., arXiv:2402.13497v2; Tarvainen and Valpola, NeurIPS 2017, arXiv:1703.01780; Cai et al., CVPR 2021 (EMAN)
 */
export const cr: MethodDefinition = { name: "cr", options: optionsSchema, create };
