/** The rows of CR's tables: the stand-in with one thing changed an arm, and what each is measured against. */
import { LSQ, LSQ_PLUS, PACT } from "../arms.ts";
import type { Arm } from "../../src/catalog/grid.ts";

/** The stand-in: KL consistency of two views against an EMA teacher; weight ramped up over the first epochs. */
export const CR = {
  id: "cr",
  method: { name: "cr", options: { weight: 1, alpha: 0.999, rampEpochs: 5 } },
  quantizer: "lsq",
  fromTeacher: true,
  tuned: "weight",
} as const satisfies Arm;

/** Control: both views train, none teaches. Tells CR's gain from that of the second view. */
export const LSQ_TWO_VIEW = {
  id: "lsq_two_view",
  method: { name: "qat_two_view", options: {} },
  quantizer: "lsq",
  fromTeacher: true,
} as const satisfies Arm;

/** Control: LSQ, evaluated with averaged tensors, by CR's own factor. Tells CR's gain from that of averaging. */
export const LSQ_EMA = {
  id: "lsq_ema",
  method: { name: "qat_ema", options: { alpha: CR.method.options.alpha } },
  quantizer: "lsq",
  fromTeacher: true,
} as const satisfies Arm;

/** An arm with a title for people. */
export interface TitledArm extends Arm {
  readonly title: string;
}

function variant(id: string, title: string, changes: Arm["method"]["options"]): TitledArm {
  const method = { name: "cr", options: { ...CR.method.options, ...changes } };
  const { tuned, ...base } = CR;
  return {
    ...("weight" in changes ? base : { ...base, tuned }),
    id: `${CR.id}_${id}`,
    title: `CR-like, ${title}`,
    method,
  };
}

/**
 * C² / (2 (1 - 1/C)) with C = 10 classes, times CR's own weight: where the mean squared error pulls as KL does, as Mean
 * Teacher's code scales one to the other.
 */
const MSE_WEIGHT = 55.6 * CR.method.options.weight;

/** Mean Teacher's rule of thumb for KL: weights from 1 to 10. */
const WEIGHTS = [1, 3, 10].filter((weight) => weight !== CR.method.options.weight);

/** `cr-ablation`: one change an arm. */
export const ABLATION: readonly TitledArm[] = [
  variant("mse", `mean squared error of the probabilities, weight ${MSE_WEIGHT}`, {
    consistency: "mse",
    weight: MSE_WEIGHT,
  }),
  variant("cosine", "cosine of the pooled features", { consistency: "cosine" }),
  variant("weak_strong", "the teacher's view strong", { views: "weak_strong" }),
  variant("strong_weak", "the student's view strong", { views: "strong_weak" }),
  variant("alpha099", "alpha 0.99", { alpha: 0.99 }),
  variant("alpha09997", "alpha 0.9997", { alpha: 0.9997 }),
  variant("alpha_cosine", "alpha from 0.99 to 1 along a cosine", { alpha: 0.99, alphaSchedule: "cosine" }),
  ...WEIGHTS.map((weight) => variant(`weight${weight}`, `weight ${weight}`, { weight })),
  variant("ramp_linear", "weight linear over 40 % of the run", { ramp: "linear" }),
  variant("ramp_constant", "weight constant", { ramp: "constant" }),
  variant("fp_teacher", "teacher in full precision", { teacherForward: "full_precision" }),
  variant("norm_batch", "teacher normalised by its batch", { teacherNorm: "batch" }),
  variant("norm_student", "teacher with the student's statistics", { teacherNorm: "student" }),
];

function onBase(base: Arm, name: string): TitledArm {
  return { ...CR, id: `${CR.id}_${base.id}`, title: `CR-like on ${name}`, quantizer: base.quantizer };
}

/** `cr-base`: CR on other base quantizers; the plain arm of each is its baseline. */
export const CR_PACT = onBase(PACT, "PACT"), CR_LSQ_PLUS = onBase(LSQ_PLUS, "LSQ+");

/** Images without a label in a step, for each with one: half a batch each, as Mean Teacher's ImageNet recipe. */
const UNLABELLED_RATIO = 1;

/** `cr-unlabelled`: full precision, LSQ and CR with a share of the labels; LSQ and full precision see nothing of the rest. */
function withLabels(percent: number): { readonly fp: TitledArm; readonly lsq: TitledArm; readonly cr: TitledArm } {
  const part = { labelledFraction: percent / 100 }, suffix = `labelled${percent}`, words = `${percent} % of the labels`;
  const fp: TitledArm = {
    id: `fp_${suffix}`,
    title: `Full precision, ${words}`,
    method: { name: "fp", options: {} },
    quantizer: null,
    fromTeacher: false,
    ...part,
  };
  const options = { ...CR.method.options, unlabelledRatio: UNLABELLED_RATIO };
  return {
    fp,
    lsq: { ...LSQ, id: `${LSQ.id}_${suffix}`, title: `LSQ, ${words}`, start: fp, ...part },
    cr: {
      ...CR,
      id: `${CR.id}_${suffix}`,
      title: `CR-like, ${words}, the rest unlabelled`,
      method: { name: "cr", options },
      start: fp,
      ...part,
    },
  };
}

/** 10 % and 50 %; 100 % are FP, LSQ and CR themselves. */
export const PARTLY_LABELLED = [withLabels(10), withLabels(50)] as const;
