import { FP, LSQ } from "../arms.ts";
import type { Arm, Paper } from "../../src/catalog/grid.ts";
import { page } from "./page.ts";
import { MEC_ABLATION_BITS, MEC_BITS } from "./published.ts";

/**
 * The reconstruction: one view, exact log determinant, channel experts. beta 0.1 is a default; protocol reduced has its own,
 * chosen on held-out images.
 */
export const MEC = {
  id: "mec",
  method: { name: "mec", options: { beta: 0.1, experts: 4, distortion: 1 / 8, warmupEpochs: 1 } },
  quantizer: "lsq",
  fromTeacher: true,
  tuned: "beta",
} as const satisfies Arm;

/** MEC with one thing changed. */
function variant(id: string, changes: Arm["method"]["options"]): Arm {
  return { ...MEC, id: `${MEC.id}_${id}`, method: { name: "mec", options: { ...MEC.method.options, ...changes } } };
}

/** Two views as in MEC's code: series of order 4, 1/lambda from 8 times its value over the first tenth of the run. */
const TWO_VIEWS = { views: 2, determinant: "taylor4", lambdaWarmup: 0.1, teacherMomentum: 0.996 } as const;

/** One change an arm; beta = 0 is LSQ. */
const ABLATION: readonly Arm[] = [
  ...[1, 2, 8].map((experts) => variant(`k${experts}`, { experts })),
  variant("samples", { over: "samples", balance: 1 }),
  variant("taylor2", { determinant: "taylor2" }),
  variant("taylor4", { determinant: "taylor4" }),
  variant("two_views", { ...TWO_VIEWS, distortion: 1 }),
  variant("two_views_fine", { ...TWO_VIEWS, distortion: 1 / 32 }),
  variant("weights", { weightTerm: 1 }),
];

/** MEC-Quant, Pang et al. 2025, arXiv:2509.15514v1, a reconstruction. Run: deno task bench --paper mec */
export const mecPaper: Paper = {
  id: "mec",
  page,
  grids: [
    { id: "mec-bits", dataset: "cifar10", models: ["resnet18"], arms: [FP, LSQ, MEC], bits: MEC_BITS },
    {
      id: "mec-ablation",
      dataset: "cifar10",
      models: ["resnet20"],
      arms: [LSQ, MEC, ...ABLATION],
      bits: MEC_ABLATION_BITS,
    },
  ],
};
