import type { CoreTable } from "../src/report/pages/core.ts";
import type { ArmTitle } from "../src/catalog/paper.ts";
import { PAPERS } from "./mod.ts";

/** Baselines, controls (FPQ's own quantizer, CR-like's views, its averaging), then the papers' methods. */
const ARMS = [
  ...["fp", "fp_trained_on", "lsq", "pact", "lsq_plus", "kd"],
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
  notes: [
    "Full precision has the epochs that every quantized run starts from; a quantized run has more epochs than that, at a " +
    "restarted learning rate. So a gap to own full precision is what quantization costs less what those epochs gain; full " +
    "precision trained on as long tells what they gain alone",
    "LSQ with averaged weights is evaluated on averaged batch norm statistics, which at two bits cost it what findings.md " +
    "tells, while CR-like is evaluated on its student: being above this control is not yet a gain from consistency",
    "Some runs are a GPU's and some a CPU's, marked below: a pair of both holds one more training's chance, of which " +
    "docs/reproducibility.md tells what is known",
    "Intervals hold for the number of seeds that was planned (3; 5 for LSQ, FPQ, CR-like and MEC at W2A2). Rows before " +
    "their last seed are work in progress and decide nothing",
  ],
  bits: [{ weights: 2, activations: 2 }, { weights: 4, activations: 4 }, { weights: 2, activations: 4 }],
};
