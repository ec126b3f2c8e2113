import { FP, LSQ } from "../arms.ts";
import type { Arm, Paper } from "../types.ts";
import { page } from "./page.ts";

/** The stand-in: KL consistency of two views against an EMA teacher; weight ramped up over the first epochs. */
const CR = {
  id: "cr",
  method: { name: "cr", options: { weight: 1, alpha: 0.999, rampEpochs: 5 } },
  quantizer: "lsq",
  fromTeacher: true,
} as const satisfies Arm;

/** Control: both views train, none teaches. Tells CR's gain from that of the second view. */
const LSQ_TWO_VIEW = {
  id: "lsq_two_view",
  method: { name: "qat_two_view", options: {} },
  quantizer: "lsq",
  fromTeacher: true,
} as const satisfies Arm;

/** Control: LSQ, evaluated with averaged tensors, by CR's own factor. Tells CR's gain from that of averaging. */
const LSQ_EMA = {
  id: "lsq_ema",
  method: { name: "qat_ema", options: { alpha: CR.method.options.alpha } },
  quantizer: "lsq",
  fromTeacher: true,
} as const satisfies Arm;

/** CR, Pang et al. 2025, arXiv:2402.13497v2, a stand-in. Run: deno task bench --paper cr */
export const crPaper: Paper = {
  id: "cr",
  page,
  grids: [
    {
      id: "cr-main",
      dataset: "cifar10",
      models: ["resnet18", "mobilenetv2"],
      arms: [FP, LSQ, LSQ_TWO_VIEW, LSQ_EMA, CR],
      bits: [
        { weights: 4, activations: 4 },
        { weights: 2, activations: 4 },
        { weights: 2, activations: 2 },
      ],
    },
  ],
};
