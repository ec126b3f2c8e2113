/** MEC-Quant, Pang et al. 2025, arXiv:2509.15514v1, a reconstruction. Run: deno task bench --paper mec */
import { W2A2 } from "../../src/catalog/bits.ts";
import type { Arm, Claim, Paper } from "../../src/catalog/paper.ts";
import { FP, LSQ } from "../arms.ts";
import { networksText, onCifar10 } from "../networks.ts";
import { MEC_BITS, PUBLISHED } from "./published.ts";

/**
 * The reconstruction: one view, exact log determinant, channel experts. beta 0.1 is a default; protocol reduced has its own,
 * chosen on held-out images.
 */
export const MEC: Arm = {
  id: "mec",
  title: "MEC",
  label: "reconstruction",
  method: { name: "mec", options: { beta: 0.1, experts: 4, distortion: 1 / 8, warmupEpochs: 1 } },
  quantizer: "lsq",
  start: FP,
  tuned: "beta",
};

/** MEC with one thing changed. */
function variant(id: string, title: string, changes: Arm["method"]["options"]): Arm {
  const { name, options } = MEC.method;
  return { ...MEC, id: `${MEC.id}_${id}`, title, method: { name, options: { ...options, ...changes } } };
}

/** Two views as in MEC's code: series of order 4, 1/lambda from 8 times its value over the first tenth of the run. */
const TWO_VIEWS = { views: 2, determinant: "taylor4", lambdaWarmup: 0.1, teacherMomentum: 0.996 } as const;

/** Rows of `mec-ablation` beside LSQ, which is beta = 0: each changes one thing. */
const ABLATION: readonly Arm[] = [
  variant("k1", "MEC, K = 1 (no experts)", { experts: 1 }),
  variant("k2", "MEC, K = 2", { experts: 2 }),
  MEC,
  variant("k8", "MEC, K = 8", { experts: 8 }),
  variant("samples", "MEC, experts over samples", { over: "samples", balance: 1 }),
  variant("taylor2", "MEC, Taylor of order 2", { determinant: "taylor2" }),
  variant("taylor4", "MEC, Taylor of order 4", { determinant: "taylor4" }),
  variant("two_views", "MEC, two views, eps_d = 1", { ...TWO_VIEWS, distortion: 1 }),
  variant("two_views_fine", "MEC, two views, eps_d = 1/32", { ...TWO_VIEWS, distortion: 1 / 32 }),
  variant("weights", "MEC with the weight term", { weightTerm: 1 }),
];

const ABSTRACT = "arXiv:2509.15514v1, abstract";
const OPEN = "the abstract names no network, data set or bits";

const COMMON = { dataset: "cifar10", models: [], bits: MEC_BITS, published: null, open: OPEN } as const;
const CODING_LENGTH = { kind: "measurement", name: "feature_coding", quantity: "Coding length, eps_d = 1/8" } as const;

/** "Comparable": not more than this below, our reading. */
const COMPARABLE_POINTS = 0.5;

/** Claims in the order of the page. Only the abstract is known, which has no number. */
const CLAIMS: readonly Claim[] = [
  {
    ...COMMON,
    id: "mec-reaches-fp",
    statement: "MEC-Quant is comparable to or above full precision (read as: at most 0.50 points below)",
    source: ABSTRACT,
    quantity: { kind: "top1" },
    arm: "mec",
    baseline: "own_fp",
    relation: "at_least",
    margin: COMPARABLE_POINTS,
  },
  {
    ...COMMON,
    id: "mec-beats-lsq",
    statement: "MEC-Quant is above LSQ (new state of the art for quantization-aware training)",
    source: `${ABSTRACT}; a machine-written summary has 1 to 3 %`,
    quantity: { kind: "top1" },
    arm: "mec",
    baseline: "lsq",
    relation: "above",
  },
  {
    ...COMMON,
    id: "mec-quantization-bias",
    statement:
      "Quantization biases the representation: the features of LSQ have a shorter coding length than those of " +
      "full precision (our reading of bias)",
    source: ABSTRACT,
    quantity: CODING_LENGTH,
    arm: "lsq",
    baseline: "own_fp",
    relation: "below",
  },
  {
    ...COMMON,
    id: "mec-longer-coding",
    statement:
      "MEC-Quant raises the entropy of the representation: its features have a longer coding length than LSQ's",
    source: ABSTRACT,
    quantity: CODING_LENGTH,
    arm: "mec",
    baseline: "lsq",
    relation: "above",
  },
];

/** All that is known of MEC-Quant. */
export const mecPaper: Paper = {
  id: "mec",
  title: "MEC-Quant: maximum entropy coding for quantization-aware training (reconstruction)",
  citation: "Junbiao Pang, Tianyang Cai and Baochang Zhang, MEC-Quant, 19 September 2025; its base: Liu et al., " +
    "Self-Supervised Learning via Maximum Entropy Coding, NeurIPS 2022, arXiv:2210.11464",
  arxiv: "arXiv:2509.15514v1",
  caveat:
    "Reconstruction: only the abstract of MEC-Quant is known to us, so everything shown as MEC is built from its " +
    "base, MEC, whose paper and code are known, and no number here is the paper's own method.",
  tables: [
    {
      id: "mec-bits",
      title: "mec-bits: full precision, LSQ and MEC by bits, CIFAR-10",
      dataset: "cifar10",
      ...onCifar10("resnet18"),
      bits: MEC_BITS,
      arms: [FP, LSQ, MEC],
      modelsAreUnknown: true,
    },
    {
      id: "mec-ablation",
      title: "mec-ablation: parts of the reconstruction (LSQ is beta = 0, MEC has K = 4), CIFAR-10, W2A2",
      dataset: "cifar10",
      models: ["resnet20"],
      bits: [W2A2],
      arms: [LSQ, ...ABLATION],
      modelsAreUnknown: true,
    },
  ],
  arms: [FP, LSQ, ...ABLATION],
  published: PUBLISHED,
  publishedDifferences: [],
  anomalies: [],
  claims: CLAIMS,
  assumptions: [
    "A1: the coded tensor Z is the quantized model's pooled features before the classifier, one row a sample, each row " +
    "divided by its length",
    "A2: one view: the coding length of Z itself is maximized",
    "A3: the log determinant is exact (Cholesky, on the smaller of batch and features), no Taylor series: class features " +
    "have a rank near the class count, where the series of MEC does not converge; orders 2 and 4 are rows of the ablation, " +
    "at the same eps_d",
    "A4: two views, in the ablation only: the student's features of view 1 against those of an averaged copy of it on view " +
    "2, one pairing, series of order 4, 1/lambda falling from 8 times its value over the first tenth of the run, averaging " +
    "factor from 0.996 to 1 by half a cosine, teacher normalized by its batch, all as in MEC's code; no projector and no " +
    "predictor, and both views are the baseline's own crop and flip",
    'A5: "Mixture of Experts" is read as K = 4 experts over channels, grouped by their running mean absolute value, so ' +
    "that outlier channels share an expert; each codes its own block, and the mean over the experts is taken. Over samples, " +
    "in the ablation only: a linear gate on Z without bias and a softmax assign each sample to K = 4 experts, whose lengths " +
    "are summed as in MCR^2; the squared coefficient of variation of the experts' shares is subtracted with weight 1. The " +
    "length of such parts is never above the whole's, so that maximizing it draws the experts together",
    "A6: the weight term, in the ablation only: the exact coding length of each layer's latent weight, one row per output " +
    "channel, the mean over all layers, added to that of the features with weight 1",
    "A7: eps_d = 1/8 for one view, as the rank of class features is near the class count; 1 for two views, where the series " +
    "converges whatever the features, with MEC's 1/32 as a row of its own",
    "A8: the weight beta is a constant of all cells of a protocol, warmed up linearly over the first epoch: 0.1; for protocol " +
    "reduced chosen from 0.03, 0.1, 0.3 and 1 on held-out training images at W2A2 with a seed of its own",
    `A9: the abstract names no network. ResNet-18, of the same group's FPQ, is taken, in the form that FPQ's assumption on ` +
    `networks gives: ${networksText("resnet18")}`,
  ],
  deviations: [
    "Bits, recipe, network, data set and quantizer are not stated by the abstract: LSQ as base quantizer, first and last " +
    "layer at 8 bits, and FPQ's recipe are ours",
    'W2A1 stands for the abstract\'s "x-bit activation", whose digit is missing',
  ],
};
