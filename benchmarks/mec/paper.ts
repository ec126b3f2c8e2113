import { FP, LSQ } from "../arms.ts";
import type { Arm, Paper } from "../types.ts";
import { page } from "./page.ts";

/**
 * The reconstruction: one view, exact log determinant, channel experts.
 * beta is one of the candidates 0.03, 0.1, 0.3, 1, 3; not yet chosen on held-out images.
 */
const MEC = {
  id: "mec",
  method: { name: "mec", options: { beta: 0.1, experts: 4, distortion: 1 / 8, warmupEpochs: 1 } },
  quantizer: "lsq",
  fromTeacher: true,
} as const satisfies Arm;

/** MEC-Quant, Pang et al. 2025, arXiv:2509.15514v1, a reconstruction. Run: deno task bench --paper mec */
export const mecPaper: Paper = {
  id: "mec",
  page,
  grids: [
    {
      id: "mec-bits",
      dataset: "cifar10",
      models: ["resnet18"],
      arms: [FP, LSQ, MEC],
      bits: [
        { weights: 4, activations: 4 },
        { weights: 2, activations: 4 },
        { weights: 2, activations: 2 },
        // The abstract claims "x-bit" activations without the digit: one bit is the lowest there is.
        { weights: 2, activations: 1 },
      ],
    },
  ],
};
