/** MEC-Quant, Pang et al. 2025, arXiv:2509.15514v1: of the paper only the abstract is known, and it holds no table cell. */
import type { PublishedCell } from "../../src/report/types.ts";

/** The reconstruction's own grid; "x-bit activation" is the abstract's claim, its digit is missing there. */
export const MEC_BITS = [
  { weights: 4, activations: 4 },
  { weights: 2, activations: 4 },
  { weights: 2, activations: 2 },
  { weights: 2, activations: 1 },
] as const;

const UNKNOWN = {
  table: "mec-bits",
  dataset: "cifar10",
  model: "resnet18",
  top1Percent: null,
  source: "arXiv:2509.15514v1, abstract",
  reason: "only the abstract was read: it gives no table cell, data set or network",
} as const;

/** Every cell of `mec-bits`, unknown. */
export const PUBLISHED: readonly PublishedCell[] = [
  { ...UNKNOWN, arm: "fp", weightBits: null, activationBits: null },
  ...MEC_BITS.flatMap(({ weights, activations }) =>
    ["lsq", "mec"].map((arm) => ({ ...UNKNOWN, arm, weightBits: weights, activationBits: activations }))
  ),
];
