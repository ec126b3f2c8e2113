import { FP, LSQ, LSQ_PLUS, PACT } from "../arms.ts";
import type { Arm, Paper } from "../../src/catalog/grid.ts";
import { page } from "./page.ts";

/** Section 4.1 and Table 3: p = 0.1 is best. */
const PROBABILITY = 0.1;

/** Eq. 22 has no weight before L_CSD. */
const CSD_WEIGHT = 1;

/** Probabilities of Table 3 that are no arm of another table: 0 is `fpq_csd`, 0.1 is `fpq`. */
const SWEPT_PROBABILITIES = [0.3, 0.5, 0.7, 0.9, 1] as const;

/** FPQ's own base quantizer without FPQ: tells what the quantizer adds from what the method adds. */
const LSQ_ASYMMETRIC = {
  id: "lsq_asymmetric",
  method: { name: "qat", options: {} },
  quantizer: "lsq_asymmetric",
  fromTeacher: true,
} as const satisfies Arm;

/** Distillation from the own full precision. The paper gives neither form nor quantizer: LSQ, so that KD alone differs from it. */
const KD = {
  id: "kd",
  method: { name: "kd", options: { temperature: 4, weight: 1 } },
  quantizer: "lsq",
  fromTeacher: true,
} as const satisfies Arm;

/** Table 1's row: LSQ trained with SAM at the SAM paper's own rho for CIFAR; FPQ gives none. */
const LSQ_SAM = {
  id: "lsq_sam",
  method: { name: "sam", options: { rho: 0.05 } },
  quantizer: "lsq",
  fromTeacher: true,
} as const satisfies Arm;

function fpq(id: string, options: { probability: number; csdWeight: number; place?: "before" }): Arm {
  const tuned = options.csdWeight === CSD_WEIGHT ? { tuned: "csdWeight" } as const : {};
  return { id, method: { name: "fpq", options }, quantizer: "lsq_asymmetric", fromTeacher: true, ...tuned };
}

export const FPQ = fpq("fpq", { probability: PROBABILITY, csdWeight: CSD_WEIGHT });
const FPQ_SFP = fpq("fpq_sfp", { probability: PROBABILITY, csdWeight: 0 });
const FPQ_CSD = fpq("fpq_csd", { probability: 0, csdWeight: CSD_WEIGHT });
const FPQ_SWEEP = SWEPT_PROBABILITIES.map((probability) =>
  fpq(`fpq_p${String(probability).replace(".", "")}`, { probability, csdWeight: CSD_WEIGHT })
);

/**
 * Ablations of ours: where δ is added (Eq. 14 does not say), and the weight of L_CSD (Eq. 22 has none, our L_CSD is a mean).
 * The weights are rows of their own and stay as they are: a protocol may have chosen another one for `fpq`.
 */
const FPQ_BEFORE = fpq("fpq_before", { probability: PROBABILITY, csdWeight: CSD_WEIGHT, place: "before" });
const FPQ_SFP_BEFORE = fpq("fpq_sfp_before", { probability: PROBABILITY, csdWeight: 0, place: "before" });
const FPQ_WEIGHTS = [0.1, 1, 10].map((csdWeight): Arm => {
  const { tuned: _, ...arm } = fpq(`fpq_w${String(csdWeight).replace(".", "")}`, {
    probability: PROBABILITY,
    csdWeight,
  });
  return arm;
});

/** Rows and models of tables 4 and 5. */
const MAIN_ARMS = [FP, PACT, LSQ, LSQ_PLUS, LSQ_ASYMMETRIC, KD, FPQ];
const MAIN_MODELS = ["resnet18", "resnet50", "mobilenetv1", "mobilenetv2"];

const W4A4 = { weights: 4, activations: 4 } as const;
const W2A4 = { weights: 2, activations: 4 } as const;
const W2A2 = { weights: 2, activations: 2 } as const;

/** FPQ, Pang and Cai 2025, arXiv:2503.11159v1. Run: deno task bench --paper fpq */
export const fpqPaper: Paper = {
  id: "fpq",
  page,
  grids: [
    { id: "table4", dataset: "cifar10", models: MAIN_MODELS, arms: MAIN_ARMS, bits: [W4A4, W2A4, W2A2] },
    { id: "table5", dataset: "cifar100", models: MAIN_MODELS, arms: MAIN_ARMS, bits: [W4A4, W2A4, W2A2] },
    { id: "table1", dataset: "cifar10", models: ["resnet18", "mobilenetv2"], arms: [LSQ, LSQ_SAM], bits: [W4A4] },
    {
      id: "table2",
      dataset: "cifar10",
      models: ["resnet18"],
      arms: [LSQ, LSQ_ASYMMETRIC, FPQ_SFP, FPQ_CSD, FPQ],
      bits: [W2A4],
    },
    {
      id: "table3",
      dataset: "cifar10",
      models: ["resnet18"],
      arms: [LSQ, LSQ_ASYMMETRIC, FPQ_CSD, FPQ, ...FPQ_SWEEP],
      bits: [W2A4],
    },
    {
      id: "fpq-parts",
      dataset: "cifar10",
      models: ["resnet18"],
      arms: [LSQ, LSQ_ASYMMETRIC, FPQ_SFP, FPQ_SFP_BEFORE, FPQ_CSD, FPQ, FPQ_BEFORE],
      bits: [W2A4, W2A2],
    },
    {
      id: "fpq-csd-weight",
      dataset: "cifar10",
      models: ["resnet18"],
      arms: [LSQ, FPQ_SFP, ...FPQ_WEIGHTS],
      bits: [W2A4, W2A2],
    },
  ],
};
