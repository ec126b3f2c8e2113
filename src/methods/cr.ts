import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { z } from "zod";
import { averagingFactor, cosineFactor, runningAverage } from "./averaging.ts";
import { cosineDistance, crossEntropy, klDivergence, squaredDistance } from "./losses.ts";
import type { ForwardResult, LossInputs, Method, MethodDefinition, StepPosition } from "./types.ts";

const optionsSchema = z.strictObject({
  /** The quantities that must agree: softmax outputs by KL divergence or mean squared error, or features by cosine. */
  consistency: z.enum(["kl", "mse", "cosine"]).default("kl"),
  /** The student's view, then the teacher's. */
  views: z.enum(["weak_weak", "weak_strong", "strong_weak"]).default("weak_weak"),
  /** w_max: weight of the consistency loss after its ramp. */
  weight: z.number().nonnegative().default(1),
  /** Ramp of the weight: Mean Teacher's sigmoid over rampEpochs, linear over 40 % of the run, or at once. */
  ramp: z.enum(["sigmoid", "linear", "constant"]).default("sigmoid"),
  /** E_r: length of the sigmoid ramp in epochs; at most half the run is taken. */
  rampEpochs: z.number().nonnegative().default(5),
  /** Upper bound of the averaging factor; where its schedule is `cosine`, its start. */
  alpha: z.number().min(0).max(1).default(0.999),
  /** min(1 - 1/(t + 1), alpha), or BYOL's cosine from alpha to 1. */
  alphaSchedule: z.enum(["bound", "cosine"]).default("bound"),
  /** The student's own quantizers on the averaged weights and step sizes, or none on the averaged weights. */
  teacherForward: z.enum(["quantized", "full_precision"]).default("quantized"),
  /** The teacher's batch norm: averaged statistics (EMAN), those of its batch (Mean Teacher), or the student's running ones. */
  teacherNorm: z.enum(["averaged", "batch", "student"]).default("averaged"),
  /** Images without a label in a step, for each with one; the data set must have a labelled fraction. */
  unlabelledRatio: z.int().min(0).max(16).default(0),
});
type Options = z.infer<typeof optionsSchema>;

/** Share of the run that a linear ramp takes (FixMatch's baselines). */
const LINEAR_RAMP = 0.4;

const STRONG_VIEWS = { weak_weak: [], weak_strong: [1], strong_weak: [0] } as const satisfies Record<string, number[]>;

const DISTANCES: Readonly<Record<Options["consistency"], (student: ForwardResult, teacher: ForwardResult) => Tensor>> =
  {
    kl: (student, teacher) => klDivergence(student.logits, teacher.logits),
    mse: (student, teacher) => squaredDistance(student.logits, teacher.logits),
    cosine: (student, teacher) => cosineDistance(student.features, teacher.features),
  };

/** w(e) = w_max exp(-5 (1 - e / E_r)²) while e < E_r, then w_max; e in epochs, with fractions (Mean Teacher). */
export function rampedWeight(epoch: number, { weight, rampEpochs }: Pick<Options, "weight" | "rampEpochs">): number {
  if (epoch >= rampEpochs) return weight;
  return weight * Math.exp(-5 * (1 - epoch / rampEpochs) ** 2);
}

function weightAt({ weight, ramp, rampEpochs }: Options, { step, stepsPerEpoch, epochs }: StepPosition): number {
  if (ramp === "constant") return weight;
  if (ramp === "linear") return weight * Math.min(1, step / (LINEAR_RAMP * stepsPerEpoch * epochs));
  // a ramp longer than half the run would never reach its weight for long: it then takes half the run
  return rampedWeight(step / stepsPerEpoch, { weight, rampEpochs: Math.min(rampEpochs, epochs / 2) });
}

function factorAt({ alpha, alphaSchedule }: Options, { step, stepsPerEpoch, epochs }: StepPosition): number {
  if (alphaSchedule === "cosine") return cosineFactor(step, { start: alpha, steps: stepsPerEpoch * epochs });
  return averagingFactor(step + 1, alpha);
}

const TEACHER = runningAverage("teacher");

function teach(options: Options, { student, memory, forward }: LossInputs, images: Tensor): ForwardResult {
  const { params, state } = TEACHER.network(memory);
  return forward({
    network: { params, state: options.teacherNorm === "student" ? student.state : state },
    images,
    training: options.teacherNorm === "batch",
    quantized: options.teacherForward === "quantized",
  });
}

function loss(options: Options, given: LossInputs) {
  const { student, inputs, views, unlabelled = [], labels, forward } = given, batch = labels.shape[0]!;
  // labelled and unlabelled images are one batch, and batch norm sees both
  const [own, others] = views.map((view, i) => unlabelled[i] ? tf.concat([view, unlabelled[i]!]) : view);
  const output = forward({ network: student, images: own!, training: true, quantized: true });
  const target = teach(options, given, others!);
  const logits = unlabelled.length > 0 ? tf.slice(output.logits, 0, batch) : output.logits;
  const task = crossEntropy(logits, labels), consistency = DISTANCES[options.consistency](output, target);
  const total = tf.add(task, tf.mul(consistency, tf.reshape(inputs["crWeight"]!, [])));
  return {
    loss: total,
    logits,
    updates: output.updates,
    metrics: { taskLoss: task, consistencyLoss: consistency },
  };
}

function create(options: Options): Method {
  return {
    name: "cr",
    quantized: true,
    views: 2,
    strongViews: STRONG_VIEWS[options.views],
    unlabelledRatio: options.unlabelledRatio,
    usesTeacher: false,
    initialMemory: (_model, student) => TEACHER.start(student),
    stepInputs: (position: StepPosition) => ({
      crWeight: Float32Array.of(weightAt(options, position)),
      crAlpha: Float32Array.of(factorAt(options, position)),
    }),
    loss: (given) => loss(options, given),
    afterUpdate: ({ memory, student, inputs }) =>
      TEACHER.next(memory, { network: student, factor: inputs["crAlpha"]! }),
  };
}

/**
 * CR-like: consistency regularization with an averaged teacher. A STAND-IN: of the paper only abstracts and summaries are
 * known to us, so this is Mean Teacher applied to quantization-aware training, and no number of it is the paper's method.
 *
 *   L = CE(f_s(v1), y) + w(e) D(f_t(v2), f_s(v1)),  means over the batch, no gradient to f_t
 *   D: KL(softmax f_t ‖ softmax f_s) | (1/C) ‖softmax f_t - softmax f_s‖² | 2 - 2 cos of the pooled features
 *   θ_t <- a θ_t + (1 - a) θ_s after each update,  a = min(1 - 1/(t + 1), alpha) | BYOL's cosine from alpha to 1
 *   w(e) = w_max exp(-5 (1 - e/E_r)²) for e < E_r, then w_max | linear over 40 % of the run | constant
 *
 * Defaults: KL, w_max 1, sigmoid ramp with E_r 5 epochs, at most half the run, alpha 0.999.
 * Assumptions: v1, v2 are two independent draws of the baseline's own crop and flip (`views` gives one of them RandAugment and
 * cutout); the teacher is the same fake-quantized network on averaged latent weights, step sizes and batch norm statistics, in
 * inference mode (EMAN); it starts as a copy of the calibrated student; KL on the logits at temperature 1, no confidence mask;
 * no projection before the cosine. The student is what is reported.
 * Unlabelled images (`unlabelledRatio`): one batch with the labelled ones; CE is the mean over the labelled, D over all.
 *
 * @see Pang et al., arXiv:2402.13497v2; Tarvainen and Valpola, NeurIPS 2017, arXiv:1703.01780; Cai et al., CVPR 2021 (EMAN);
 *   Grill et al., NeurIPS 2020, arXiv:2006.07733 (BYOL); Sohn et al., NeurIPS 2020, arXiv:2001.07685 (FixMatch)
 */
export const cr: MethodDefinition = { name: "cr", options: optionsSchema, create };
