import { W2A2, W2A4, W4A4 } from "../src/catalog/bits.ts";
import type { CoreTable } from "../src/catalog/suite.ts";
import { FP, FP_TRAINED_ON, LSQ, LSQ_ASYMMETRIC, LSQ_PLUS, PACT } from "./arms.ts";
import { CR, LSQ_EMA, LSQ_TWO_VIEW } from "./cr/paper.ts";
import { FPQ, KD } from "./fpq/paper.ts";
import { MEC } from "./mec/paper.ts";

/** Every method under one budget, whatever its paper: the page `reports/core.md`. */
export const CORE: CoreTable = {
  title: "All methods under one budget",
  protocol: "reduced",
  dataset: "cifar10",
  model: "resnet20",
  // baselines, controls (FPQ's own quantizer, CR-like's views, its averaging), then the papers' methods
  arms: [FP, FP_TRAINED_ON, LSQ, PACT, LSQ_PLUS, KD, LSQ_ASYMMETRIC, LSQ_TWO_VIEW, LSQ_EMA, FPQ, CR, MEC],
  bits: [W2A2, W4A4, W2A4],
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
};
