/**
 * CR, Pang et al. 2025, arXiv:2402.13497v2: only abstracts and machine-written summaries are known. They hold no table
 * cell and two differences.
 */
import { type Bits, W2A2, W2A4, W4A4 } from "../../src/catalog/bits.ts";
import type { PublishedCell, PublishedDifference } from "../../src/catalog/paper.ts";

/** The stand-in's own grid. */
export const CR_BITS: readonly Bits[] = [W4A4, W2A4, W2A2];

const SOURCE = "arXiv:2402.13497v2, abstract";

function unknownCell(cell: Pick<PublishedCell, "model" | "arm" | "weightBits" | "activationBits">): PublishedCell {
  return {
    table: "cr-main",
    dataset: "cifar10",
    ...cell,
    top1Percent: null,
    source: SOURCE,
    reason: "full text not read: no table cell was obtained",
  };
}

/** Cells that the paper must have of `cr-main`, all unknown: full precision, LSQ and CR. The two control arms are ours. */
export const PUBLISHED: readonly PublishedCell[] = ["resnet18", "mobilenetv2"].flatMap((model) => [
  unknownCell({ model, arm: "fp", weightBits: null, activationBits: null }),
  ...CR_BITS.flatMap(({ weights, activations }) =>
    ["lsq", "cr"].map((arm) => unknownCell({ model, arm, weightBits: weights, activationBits: activations }))
  ),
]);

const DIFFERENCE = {
  dataset: "cifar10",
  arm: "cr",
  baseline: null,
  weightBits: null,
  activationBits: null,
  source: SOURCE,
} as const;

/** The only numbers of CR that were obtained: "over the baseline method", which the abstract does not name. */
export const PUBLISHED_DIFFERENCES: readonly PublishedDifference[] = [
  {
    ...DIFFERENCE,
    model: "resnet18",
    differencePoints: 3.79,
    reason: "bits, baseline and absolute values are not given",
  },
  {
    ...DIFFERENCE,
    model: "mobilenet",
    differencePoints: 3.84,
    reason: "bits, baseline, absolute values and the version of MobileNet are not given",
  },
];
