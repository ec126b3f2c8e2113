import { FP, FP_TRAINED_ON, LSQ, LSQ_PLUS, PACT } from "../arms.ts";
import type { Paper } from "../../src/catalog/grid.ts";
import { ABLATION, CR, CR_LSQ_PLUS, CR_PACT, LSQ_EMA, LSQ_TWO_VIEW, PARTLY_LABELLED } from "./arms.ts";
import { page } from "./page.ts";
import { CR_BITS, W2A2, W4A4 } from "./published.ts";

/** CR, Pang et al. 2025, arXiv:2402.13497v2, a stand-in. Run: deno task bench --paper cr */
export const crPaper: Paper = {
  id: "cr",
  page,
  grids: [
    {
      id: "cr-main",
      dataset: "cifar10",
      models: ["resnet18", "mobilenetv2"],
      arms: [FP, FP_TRAINED_ON, LSQ, LSQ_TWO_VIEW, LSQ_EMA, CR],
      bits: CR_BITS,
    },
    {
      id: "cr-unlabelled",
      dataset: "cifar10",
      models: ["resnet18"],
      arms: [...PARTLY_LABELLED.flatMap(({ fp, lsq, cr }) => [fp, lsq, cr]), FP, LSQ, CR],
      bits: [W2A2],
    },
    {
      id: "cr-ablation",
      dataset: "cifar10",
      models: ["resnet18"],
      arms: [LSQ, CR, ...ABLATION],
      bits: [W2A2],
    },
    {
      id: "cr-base",
      dataset: "cifar10",
      models: ["resnet18"],
      arms: [FP, LSQ, CR, PACT, CR_PACT, LSQ_PLUS, CR_LSQ_PLUS],
      bits: [W4A4, W2A2],
    },
  ],
};
