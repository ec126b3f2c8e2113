import type { CoreTable } from "../src/report/core.ts";
import type { ArmTitle } from "../src/report/types.ts";
import { PAPERS } from "./mod.ts";

/** Baselines, controls (FPQ's own quantizer, CR-like's views, its averaging), then the papers' methods. */
const ARMS = [
  ...["fp", "lsq", "pact", "lsq_plus", "kd"],
  ...["lsq_asymmetric", "lsq_two_view", "lsq_ema"],
  ...["fpq", "cr", "mec"],
];

function titleOf(id: string): ArmTitle {
  const found = PAPERS.flatMap(({ page }) => page.arms).filter((arm) => arm.id === id);
  // the paper whose method it is has its controls
  return found.find(({ controls }) => controls !== undefined) ?? found[0]!;
}

/** Every method under one budget, whatever its paper: the page `reports/core.md`. */
export const CORE: CoreTable = {
  title: "All methods under one budget",
  protocol: "reduced",
  dataset: "cifar10",
  model: "resnet20",
  arms: ARMS.map(titleOf),
  bits: [{ weights: 2, activations: 2 }, { weights: 4, activations: 4 }, { weights: 2, activations: 4 }],
};
