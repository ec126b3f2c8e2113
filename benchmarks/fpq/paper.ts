import { FP, LSQ } from "../arms.ts";
import type { Arm, Paper } from "../types.ts";
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

/** PACT: its own activations, DoReFa's weights. */
const PACT = {
  id: "pact",
  method: { name: "qat", options: {} },
  quantizer: "pact",
  fromTeacher: true,
} as const satisfies Arm;

/** LSQ+: LSQ with a learned offset of activations. */
const LSQ_PLUS = {
  id: "lsq_plus",
  method: { name: "qat", options: {} },
  quantizer: "lsq_plus",
  fromTeacher: true,
} as const satisfies Arm;

/** Distillation from the own full precision. The paper gives neither form nor quantizer: LSQ, so that KD alone differs from it. */
const KD = {
  id: "kd",
  method: { name: "kd", options: { temperature: 4, weight: 1 } },
  quantizer: "lsq",
  fromTeacher: true,
} as const satisfies Arm;

function fpq(id: string, options: { probability: number; csdWeight: number }): Arm {
  return { id, method: { name: "fpq", options }, quantizer: "lsq_asymmetric", fromTeacher: true };
}

const FPQ = fpq("fpq", { probability: PROBABILITY, csdWeight: CSD_WEIGHT });
const FPQ_SFP = fpq("fpq_sfp", { probability: PROBABILITY, csdWeight: 0 });
const FPQ_CSD = fpq("fpq_csd", { probability: 0, csdWeight: CSD_WEIGHT });
const FPQ_SWEEP = SWEPT_PROBABILITIES.map((probability) =>
  fpq(`fpq_p${String(probability).replace(".", "")}`, { probability, csdWeight: CSD_WEIGHT })
);

const W4A4 = { weights: 4, activations: 4 } as const;
const W2A4 = { weights: 2, activations: 4 } as const;
const W2A2 = { weights: 2, activations: 2 } as const;

/** FPQ, Pang and Cai 2025, arXiv:2503.11159v1. Run: deno task bench --paper fpq */
export const fpqPaper: Paper = {
  id: "fpq",
  page,
  grids: [
    {
      id: "table4",
      dataset: "cifar10",
      models: ["resnet18", "mobilenetv2"],
      arms: [FP, PACT, LSQ, LSQ_PLUS, LSQ_ASYMMETRIC, KD, FPQ],
      bits: [W4A4, W2A4, W2A2],
    },
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
  ],
};
