import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { z } from "zod";
import { InputError } from "../errors.ts";
import type { Model } from "../nn/types.ts";
import { cosineFactor } from "./averaging.ts";
import { DETERMINANTS } from "./coding_length.ts";
import { crossEntropy } from "./losses.ts";
import { channelsLength, gateStart, samplesLength } from "./mec_experts.ts";
import { networkAlone, TEACHER, warmedDistortion } from "./mec_two_views.ts";
import { weightsLength } from "./mec_weights.ts";
import { type LossInputs, type Method, type MethodDefinition, OWN_PARAMETERS, type StepPosition } from "./types.ts";

const optionsSchema = z.strictObject({
  /** Weight of the coding term after its warm-up. */
  beta: z.number().nonnegative().default(0.1),
  /** K; over channels it must divide the feature count. */
  experts: z.int().positive().default(4),
  /** The axis that is divided among the experts. */
  over: z.enum(["channels", "samples"]).default("channels"),
  /** Weight of the experts' imbalance beside the coding length; over samples only. */
  balance: z.number().nonnegative().default(1),
  /** 1: the coding length of the features. 2: that between a student's and an averaged teacher's. */
  views: z.literal([1, 2]).default(1),
  /** By default exact for one view, taylor4 for two. */
  determinant: z.enum(DETERMINANTS).optional(),
  /** eps_d; by default 1/8 for one view, 1 for two, where the series converges whatever the features. */
  distortion: z.number().positive().optional(),
  /** Share of the run in which lambda grows to its value; by default 0 for one view, 0.1 for two. */
  lambdaWarmup: z.number().min(0).max(1).optional(),
  /** Decay of the teacher's average in the first step; two views only. */
  teacherMomentum: z.number().min(0).max(1).default(0.996),
  /** Weight of the weights' coding length beside the features'. */
  weightTerm: z.number().nonnegative().default(0),
  /** Linear warm-up of beta. */
  warmupEpochs: z.number().nonnegative().default(1),
});
type Options = z.infer<typeof optionsSchema>;
type Settled = ReturnType<typeof settle>;

/** The options with the defaults that depend on the number of views. */
function settle(options: Options) {
  const ofViews = options.views === 2
    ? { determinant: "taylor4", distortion: 1, lambdaWarmup: 0.1 } as const
    : { determinant: "exact", distortion: 1 / 8, lambdaWarmup: 0 } as const;
  const settled = {
    ...options,
    determinant: options.determinant ?? ofViews.determinant,
    distortion: options.distortion ?? ofViews.distortion,
    lambdaWarmup: options.lambdaWarmup ?? ofViews.lambdaWarmup,
  };
  if (settled.views === 2 && settled.determinant === "exact") {
    throw new InputError(
      'Cannot use method mec with two views and determinant "exact" as the determinant of two views may be negative: ' +
        'choose "taylor2" or "taylor4"',
    );
  }
  return settled;
}

/** Share of the new batch in the running activation scale. */
const SCALE_MOMENTUM = 0.1;

const GATE = "gate/weight";

function featuresOf(model: Model): number {
  return model.layers.at(-1)!.inChannels;
}

/** Number of features; refused where channel experts cannot share them equally. */
function checkedFeatures(model: Model, experts: number): number {
  const features = featuresOf(model);
  if (features % experts !== 0) {
    throw new InputError(
      `Cannot split ${features} features of ${model.name} among experts as their number must divide it: current value is ${experts}`,
    );
  }
  return features;
}

function stepInputs(options: Settled, at: StepPosition): Record<string, Float32Array> {
  const { step, stepsPerEpoch, epochs } = at, steps = epochs * stepsPerEpoch;
  const warmupSteps = options.lambdaWarmup * steps;
  return {
    mecBeta: Float32Array.of(
      options.beta * Math.min(1, (step + 1) / Math.max(1, options.warmupEpochs * stepsPerEpoch)),
    ),
    ...(options.lambdaWarmup > 0
      ? { mecDistortion: Float32Array.of(warmedDistortion(step, { distortion: options.distortion, warmupSteps })) }
      : {}),
    ...(options.views === 2
      ? { mecTeacher: Float32Array.of(cosineFactor(step, { start: options.teacherMomentum, steps })) }
      : {}),
  };
}

/** The coding length, what else is maximised with it, and the metrics of both. */
function codingTerm(
  options: Settled,
  given: Pick<LossInputs, "model" | "student" | "memory" | "inputs"> & { features: Tensor; other: Tensor | null },
): { term: Tensor; metrics: Record<string, Tensor> } {
  const { determinant, experts } = options, { params } = given.student, warmed = given.inputs["mecDistortion"];
  const coding = { determinant, distortion: warmed ? tf.reshape(warmed, []) : options.distortion };
  const parts: Tensor[] = [], metrics: Record<string, Tensor> = {};
  if (options.over === "samples") {
    const { length, imbalance } = samplesLength(given, { ...coding, gate: params[OWN_PARAMETERS + GATE]! });
    parts.push(length, tf.mul(imbalance, -options.balance));
    Object.assign(metrics, { codingLength: length, expertImbalance: imbalance });
  } else {
    const length = channelsLength(given, { ...coding, scale: given.memory["scale"]!, experts });
    parts.push(length);
    metrics["codingLength"] = length;
  }
  if (options.weightTerm > 0) {
    const length = weightsLength(given.model, { params, distortion: options.distortion });
    parts.push(tf.mul(length, options.weightTerm));
    metrics["weightCodingLength"] = length;
  }
  return { term: parts.reduce((sum, part) => tf.add(sum, part)), metrics };
}

function create(given: Options): Method {
  const options = settle(given), { experts, over, views } = options;
  return {
    name: "mec",
    quantized: true,
    views,
    usesTeacher: false,
    ...(over === "samples"
      ? {
        ownParameters: (model: Model, seed: number) => ({
          [GATE]: gateStart(featuresOf(model), { experts, seed, index: model.layers.length }),
        }),
      }
      : {}),
    initialMemory: (model, student) => ({
      ...(over === "channels" ? { scale: tf.zeros([checkedFeatures(model, experts)]) } : {}),
      ...(views === 2 ? TEACHER.start(student) : {}),
    }),
    stepInputs: (at) => stepInputs(options, at),
    loss(given) {
      const { student, memory, inputs, views: images, labels, forward } = given;
      const how = { training: true, quantized: true } as const;
      const { logits, features, updates } = forward({ network: student, images: images[0]!, ...how });
      // the teacher's own running statistics are not used: it is normalised by its batch, as in MEC's code
      const teacher = { params: TEACHER.network(memory).params, state: student.state };
      const other = views === 2 ? forward({ network: teacher, images: images[1]!, ...how }).features : null;
      const task = crossEntropy(logits, labels);
      const { term, metrics } = codingTerm(options, { ...given, features, other });
      const loss = tf.sub(task, tf.mul(term, tf.reshape(inputs["mecBeta"]!, [])));
      const result = { loss, logits, updates, metrics: { taskLoss: task, ...metrics } };
      if (over === "samples") return result;
      const batchScale = tf.mean(tf.abs(features), 0);
      const scale = tf.add(tf.mul(memory["scale"]!, 1 - SCALE_MOMENTUM), tf.mul(batchScale, SCALE_MOMENTUM));
      return { ...result, memory: { scale } };
    },
    ...(views === 2
      ? {
        afterUpdate: ({ memory, student, inputs }) =>
          TEACHER.next(memory, { network: networkAlone(student), factor: inputs["mecTeacher"]! }),
      }
      : {}),
  } satisfies Method;
}

/**
 * MEC-Quant, a RECONSTRUCTION: of the paper only the abstract is known; its base, MEC, is known in full. No number of this is
 * the paper's own method.
 *
 *   L = CE(f_q(x), y) - beta (L_Z + w L_W)
 *   L_Z = (1/K) sum_k eps_d log det(I + Z_k^T Z'_k / (m eps_d))                            experts over channels
 *   L_W = mean over layers of eps_d log det(I + W^T W / (out eps_d))                       weight term
 *
 * Z: the quantized model's pooled features before the dense layer, one row a sample (A1). One view (A2): Z' = Z, exact by
 * Cholesky on the smaller side (A3). Two views (A4): Z' of the second view by an averaged teacher, as in MEC's code.
 * Mixture of experts (A5): the d features are sorted by their running mean absolute value and cut into K groups, each row of
 * each group divided by its length, and the mean over the experts is taken, so that beta keeps its meaning when K changes; or
 * a gate divides the samples (`samplesLength`). Weight term (A6): rows are a latent weight's output channels.
 *
 * Defaults: K = 4, over channels, one view, exact, eps_d = 1/8 (A7: the rank of class features is near the class count),
 * beta = 0.1 (A8), warmed up linearly over the first epoch, w = 0. Two views: eps_d = 1 (A7), Taylor order 4, 1/lambda from 8
 * times its value over the first tenth of the run, teacher's momentum from 0.996 to 1 by half a cosine.
 *
 * @see ../../docs/methods.md, "mec"; Pang et al. 2025, arXiv:2509.15514 (abstract); Liu et al., NeurIPS 2022,
 * arXiv:2210.11464 (MEC, Eq. 1-3)
 */
export const mec: MethodDefinition = { name: "mec", options: optionsSchema, create };
