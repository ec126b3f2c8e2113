/** MEC-Quant, Pang et al. 2025, arXiv:2509.15514v1: of the paper only the abstract is known, and it holds no table cell. */
import type { PublishedCell } from "../../src/catalog/paper.ts";

/** Bits of `mec-bits`. The abstract claims "x-bit" activations without the digit: one bit is the lowest there is. */
export const MEC_BITS = [
  { weights: 4, activations: 4 },
  { weights: 2, activations: 4 },
  { weights: 2, activations: 2 },
  { weights: 2, activations: 1 },
] as const;

/** Bits of `mec-ablation`. */
export const MEC_ABLATION_BITS = [{ weights: 2, activations: 2 }] as const;

/** Rows of `mec-ablation`; `lsq` is beta = 0, `mec` is K = 4 over channels, exact, one view, without the weight term. */
export const MEC_ABLATION_ARMS = [
  "lsq",
  "mec_k1",
  "mec_k2",
  "mec",
  "mec_k8",
  "mec_samples",
  "mec_taylor2",
  "mec_taylor4",
  "mec_two_views",
  "mec_two_views_fine",
  "mec_weights",
] as const;

const UNKNOWN = {
  dataset: "cifar10",
  top1Percent: null,
  source: "arXiv:2509.15514v1, abstract",
  reason: "only the abstract was read: it gives no table cell, data set or network",
} as const;

const BITS_PLACE = { table: "mec-bits", model: "resnet18" } as const;

/**
 * What the paper must have of `mec-bits`, unknown: full precision, LSQ and MEC-Quant. ResNet-18 stands for its networks,
 * which are unknown too. `mec-ablation` takes our reconstruction apart: no cell of it is the paper's.
 */
export const PUBLISHED: readonly PublishedCell[] = [
  { ...UNKNOWN, ...BITS_PLACE, arm: "fp", weightBits: null, activationBits: null },
  ...MEC_BITS.flatMap(({ weights, activations }) =>
    ["lsq", "mec"].map((arm) => ({
      ...UNKNOWN,
      ...BITS_PLACE,
      arm,
      weightBits: weights,
      activationBits: activations,
    }))
  ),
];
