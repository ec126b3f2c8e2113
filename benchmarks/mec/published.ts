/** MEC-Quant, Pang et al. 2025, arXiv:2509.15514v1: of the paper only the abstract is known, and it holds no table cell. */
import { type Bits, W2A2, W2A4, W4A4 } from "../../src/catalog/bits.ts";
import type { PublishedCell } from "../../src/catalog/paper.ts";

/** Bits of `mec-bits`. The abstract claims "x-bit" activations without the digit: one bit is the lowest there is. */
export const MEC_BITS: readonly Bits[] = [W4A4, W2A4, W2A2, { weights: 2, activations: 1 }];

const UNKNOWN = {
  dataset: "cifar10",
  top1Percent: null,
  source: "arXiv:2509.15514v1, abstract",
  reason: "only the abstract was read: it gives no table cell, data set or network",
} as const;

const BITS_PLACE = { table: "mec-bits", model: "resnet18" } as const;

/**
 * Cells that the paper must have of `mec-bits`, all unknown: full precision, LSQ and MEC-Quant. ResNet-18 stands for its networks,
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
