/** CR, Pang et al. 2025, arXiv:2402.13497v2, a stand-in. Run: deno task bench --paper cr */
import { W2A2, W4A4 } from "../../src/catalog/bits.ts";
import type { Arm, Claim, Paper } from "../../src/catalog/paper.ts";
import { FP, FP_TRAINED_ON, LSQ, LSQ_PLUS, PACT } from "../arms.ts";
import { networkFor, networksText, onCifar10 } from "../networks.ts";
import { CR_BITS, PUBLISHED, PUBLISHED_DIFFERENCES } from "./published.ts";

/** Weight of the consistency loss where a protocol has not chosen one. */
const WEIGHT = 1;

/** Averaging factor of the teacher, and of the control that averages without it. */
const ALPHA = 0.999;

/** The stand-in: KL consistency of two views against an EMA teacher; weight ramped up over the first epochs. */
export const CR: Arm = {
  id: "cr",
  title: "CR-like",
  label: "stand-in",
  controls: ["lsq_two_view", "lsq_ema"],
  method: { name: "cr", options: { weight: WEIGHT, alpha: ALPHA, rampEpochs: 5 } },
  quantizer: "lsq",
  start: FP,
  tuned: "weight",
};

/** Control: both views train, none teaches. Tells CR's gain from that of the second view. */
export const LSQ_TWO_VIEW: Arm = {
  ...LSQ,
  id: "lsq_two_view",
  title: "LSQ on two views (control)",
  method: { name: "qat_two_view", options: {} },
};

/** Control: LSQ, evaluated with averaged tensors, by CR's own factor. Tells CR's gain from that of averaging. */
export const LSQ_EMA: Arm = {
  ...LSQ,
  id: "lsq_ema",
  title: "LSQ, averaged weights evaluated (control)",
  method: { name: "qat_ema", options: { alpha: ALPHA } },
};

/** CR on other data, quantizers or options: what it is measured against is its own baseline alone. */
function derived({ controls: _, ...base }: Arm, changes: Partial<Arm> & Pick<Arm, "id" | "title">): Arm {
  return { ...base, ...changes, id: `${base.id}_${changes.id}`, title: `${base.title}${changes.title}` };
}

/** CR with one thing changed. A row about the weight keeps its own, whatever a protocol chose. */
function variant(id: string, title: string, changes: Arm["method"]["options"]): Arm {
  const method = { name: "cr", options: { ...CR.method.options, ...changes } };
  const { tuned: _, ...untuned } = CR;
  return derived("weight" in changes ? untuned : CR, { id, title: `, ${title}`, method });
}

/**
 * C² / (2 (1 - 1/C)) with C = 10 classes, times CR's own weight: where the mean squared error pulls as KL does, as Mean
 * Teacher's code scales one to the other.
 */
const MSE_WEIGHT = 55.6 * WEIGHT;

/** Mean Teacher's rule of thumb for KL: weights from 1, which is CR's own, to 10. */
const WEIGHTS = [3, 10];

/** `cr-ablation`: one change in each arm. */
export const ABLATION: readonly Arm[] = [
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

function onBase({ id, title, quantizer }: Arm): Arm {
  return derived(CR, { id, title: ` on ${title}`, quantizer, controls: [id] });
}

/** `cr-base`: CR on other base quantizers; the plain arm of each is its baseline. */
export const CR_PACT = onBase(PACT), CR_LSQ_PLUS = onBase(LSQ_PLUS);

/** Images without a label in a step, for each with one: half a batch each, as Mean Teacher's ImageNet recipe. */
const UNLABELLED_RATIO = 1;

/** `cr-unlabelled`: full precision, LSQ and CR with a share of the labels; LSQ and full precision see nothing of the rest. */
function withLabels(percent: number): { readonly fp: Arm; readonly lsq: Arm; readonly cr: Arm } {
  const id = `labelled${percent}`, title = `, ${percent} % of the labels`, labelledFraction = percent / 100;
  const fp = derived(FP, { id, title, labelledFraction });
  const lsq = derived(LSQ, { id, title, labelledFraction, start: fp });
  const method = { name: "cr", options: { ...CR.method.options, unlabelledRatio: UNLABELLED_RATIO } };
  const changes = { id, title: `${title}, the rest unlabelled`, labelledFraction, start: fp, method };
  return { fp, lsq, cr: derived(CR, { ...changes, controls: [lsq.id] }) };
}

/** 10 % and 50 %; 100 % are FP, LSQ and CR themselves. */
export const PARTLY_LABELLED = [withLabels(10), withLabels(50)] as const;

const PARTLY_LABELLED_ARMS = PARTLY_LABELLED.flatMap(({ fp, lsq, cr }) => [fp, lsq, cr]);

const V1 = "arXiv:2402.13497v1, abstract";

const TOP1 = {
  dataset: "cifar10",
  quantity: { kind: "top1" },
  relation: "above",
  published: null,
} as const;

/** Models of the stated differences: where "MobileNet" has no version, both are tested. */
const MODELS: Readonly<Record<string, readonly string[]>> = { mobilenet: ["mobilenetv1", "mobilenetv2"] };

/** "Toward": not more than this below, our reading. */
const REACHED_POINTS = 0.5;

const STATED = PUBLISHED_DIFFERENCES.map(({ model, differencePoints, source, reason }): Claim => ({
  ...TOP1,
  id: `cr-${model}`,
  statement: `CR gains ${differencePoints} points over "the baseline method" on ${
    model === "resnet18" ? "ResNet-18" : "MobileNet"
  } (tested against LSQ)`,
  source,
  arm: "cr",
  baseline: "lsq",
  models: (MODELS[model] ?? [model]).map((name) => networkFor(name, "cifar10")),
  bits: CR_BITS,
  published: differencePoints,
  open: reason,
}));

/** Claims in the order of the page. Only abstracts and summaries are known. */
const CLAIMS: readonly Claim[] = [
  ...STATED,
  {
    ...TOP1,
    id: "cr-beats-fp",
    statement: "CR even surpasses full precision",
    source: V1,
    arm: "cr",
    baseline: "own_fp",
    models: [],
    bits: CR_BITS,
    open: "networks and bits of this claim are not given",
  },
  {
    ...TOP1,
    id: "cr-reaches-fp",
    statement: "CR reaches full precision (read as: at most 0.50 points below)",
    source: "arXiv:2402.13497v1, title",
    arm: "cr",
    baseline: "own_fp",
    relation: "at_least",
    margin: REACHED_POINTS,
    models: [],
    bits: CR_BITS,
    open: "networks and bits of this claim are not given",
  },
  ...([[CR_PACT, PACT], [CR_LSQ_PLUS, LSQ_PLUS]] as const).map(([{ id: arm }, { id: baseline, title }]) => ({
    ...TOP1,
    id: `cr-on-${baseline}`,
    statement: `CR works with several methods of quantization-aware training: on ${title} it is above ${title} alone`,
    source: V1,
    arm,
    baseline,
    models: [],
    bits: [W4A4, W2A2],
    open: "which methods is not given",
  })),
  ...PARTLY_LABELLED.map(({ lsq, cr }) => ({
    ...TOP1,
    id: cr.id.replaceAll("_", "-"),
    statement: `Unlabelled images of the same distribution help: ${cr.title}, is above ${lsq.title}`,
    source: `${V1}, by implication; machine-written summaries`,
    arm: cr.id,
    baseline: lsq.id,
    models: [],
    bits: [W2A2],
    open: "shares of labels and results are not given",
  })),
  {
    id: "cr-flatter",
    statement: "CR leads to a flatter minimum than LSQ (read as: a lower Hessian trace)",
    source: "arXiv:2402.13497v2, index terms; a machine-written summary",
    dataset: "cifar10",
    quantity: { kind: "measurement", name: "hessian_trace", quantity: "Tr H" },
    arm: "cr",
    baseline: "lsq",
    relation: "below",
    models: [],
    bits: CR_BITS,
    published: null,
    open: "the measure of flatness is not known to us",
  },
];

/** All that is known of CR. */
export const crPaper: Paper = {
  id: "cr",
  title: "CR: consistency regularization for quantization-aware training (stand-in)",
  citation:
    "Junbiao Pang, Tianyang Cai, Jiaqi Wu and Baochang Zhang, In-Distribution Consistency Regularization Improves " +
    "the Generalization of Quantization-Aware Training, 12 January 2025",
  arxiv: "arXiv:2402.13497v2",
  caveat:
    "Stand-in: only abstracts and machine-written summaries of CR are known to us, so what is shown as CR-like is " +
    "Mean Teacher applied to quantization-aware training, and no number here is the paper's own method.",
  tables: [
    {
      id: "cr-main",
      title: "cr-main: full precision, LSQ, its controls and CR-like, CIFAR-10",
      dataset: "cifar10",
      ...onCifar10("resnet18", "mobilenetv2"),
      bits: CR_BITS,
      arms: [FP, FP_TRAINED_ON, LSQ, LSQ_TWO_VIEW, LSQ_EMA, CR],
    },
    {
      id: "cr-unlabelled",
      title: "cr-unlabelled: a part of the labels, the other images for consistency only, CIFAR-10, W2A2",
      dataset: "cifar10",
      ...onCifar10("resnet18"),
      bits: [W2A2],
      arms: [FP, LSQ, CR, ...PARTLY_LABELLED_ARMS],
    },
    {
      id: "cr-ablation",
      title: "cr-ablation: CR-like with one thing changed a row, CIFAR-10, W2A2",
      dataset: "cifar10",
      ...onCifar10("resnet18"),
      bits: [W2A2],
      arms: [LSQ, CR, ...ABLATION],
    },
    {
      id: "cr-base",
      title: "cr-base: CR-like on three quantizers beside each alone, CIFAR-10",
      dataset: "cifar10",
      ...onCifar10("resnet18"),
      bits: [W4A4, W2A2],
      arms: [FP, LSQ, CR, PACT, CR_PACT, LSQ_PLUS, CR_LSQ_PLUS],
    },
  ],
  arms: [
    ...[FP, FP_TRAINED_ON, LSQ, LSQ_TWO_VIEW, LSQ_EMA, CR, PACT, CR_PACT, LSQ_PLUS, CR_LSQ_PLUS],
    ...PARTLY_LABELLED_ARMS,
    ...ABLATION,
  ],
  published: PUBLISHED,
  publishedDifferences: PUBLISHED_DIFFERENCES,
  anomalies: [],
  claims: CLAIMS,
  assumptions: [
    "Consistency: KL divergence of the softmax outputs, averaged teacher to student, temperature 1, no confidence mask, " +
    "mean over the batch (both summaries say KL; direction and temperature are not known)",
    "Averaging factor alpha: min(1 - 1/(t + 1), 0.999), as Mean Teacher",
    "Weight: at most 1, ramped up as exp(-5 (1 - e/E)^2) over E = 5 epochs, or over half of a shorter run, as Mean Teacher " +
    '("carefully scheduled" in a summary; values are not known)',
    "Views: two independent draws of the baseline's own crop and flip; the cross-entropy sees the first",
    "Teacher forward: the same fake-quantized network on averaged weights and averaged step sizes; a full-precision " +
    "teacher would be distillation, which CR is said not to need",
    "Teacher batch normalisation: averaged statistics, inference mode, as EMAN",
    "Teacher start: a copy of the student after calibration",
    "Unlabelled images (cr-unlabelled only): each step has a batch of labelled and one of as many unlabelled images, as Mean " +
    "Teacher on ImageNet; the student sees both as one batch, the cross-entropy is the mean over the labelled, the " +
    "consistency over all",
    "Labelled part: each class equally often, drawn by the run's seed; calibration sees it alone, and the full-precision " +
    "start is trained on it alone, so that no other label is in any run of that row",
    "Equal budget with a part of the labels: as many steps, each with as many labelled images, as with all of them; the " +
    "labelled part is gone through more often. CR-like sees the unlabelled images beside that, at about twice the cost",
    "Strong views (cr-ablation only): crop and flip, then RandAugment as FixMatch has it (2 of 14 operations, each applied " +
    "with probability 1/2 at a random one of 9 levels), then cutout of 16 x 16, grey",
    "Mean squared error: of the softmax outputs, mean over classes, weight 55.6, which pulls as KL does at weight 1 (Mean " +
    "Teacher's scale for 10 classes); cosine: 2 - 2 cos of the pooled features, without a projection, weight 1",
    "The student is what is evaluated",
    "Networks: the form of ResNet-18 and MobileNet is not known; they are taken in the form that FPQ's assumption on networks " +
    `gives, a paper of the same group: ${networksText("resnet18", "mobilenetv1", "mobilenetv2")}`,
    "Control LSQ on two views: the mean of the cross-entropies of both views, each normalised by its own batch, the running " +
    "statistics updated by both in turn; it costs one backward pass more than CR-like",
    "Control LSQ, averaged weights evaluated: LSQ to the bit in training; weights, step sizes, batch norm parameters and " +
    "statistics are averaged with CR-like's factor alpha",
  ],
  deviations: [
    "The paper's own loss, layer (predictions or latent features), weight, averaging, views, recipe, bits and base " +
    "quantizer are not known: LSQ as base quantizer, first and last layer at 8 bits, and FPQ's recipe are ours",
  ],
};
