/** What MEC-Quant, arXiv:2509.15514v1, claims, in a form that runs can test. Only its abstract is known, which has no number. */
import type { Claim } from "../../src/catalog/paper.ts";
import { MEC_BITS } from "./published.ts";

const ABSTRACT = "arXiv:2509.15514v1, abstract";
const OPEN = "the abstract names no network, data set or bits";

const COMMON = { dataset: "cifar10", models: [], bits: MEC_BITS, published: null, open: OPEN } as const;
const CODING_LENGTH = { kind: "measurement", name: "feature_coding", quantity: "Coding length, eps_d = 1/8" } as const;

/** "Comparable": not more than this below, our reading. */
const COMPARABLE_POINTS = 0.5;

/** In the order of the page. */
export const CLAIMS: readonly Claim[] = [
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
