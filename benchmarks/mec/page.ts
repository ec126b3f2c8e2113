import type { PaperPage } from "../../src/catalog/paper.ts";
import { CLAIMS } from "./claims.ts";
import { MEC_ABLATION_ARMS, MEC_ABLATION_BITS, MEC_BITS, PUBLISHED } from "./published.ts";

/** Rows beside full precision and LSQ; each changes one thing of `mec`. */
const RECONSTRUCTED = [
  ["mec_k1", "MEC, K = 1 (no experts)"],
  ["mec_k2", "MEC, K = 2"],
  ["mec", "MEC"],
  ["mec_k8", "MEC, K = 8"],
  ["mec_samples", "MEC, experts over samples"],
  ["mec_taylor2", "MEC, Taylor of order 2"],
  ["mec_taylor4", "MEC, Taylor of order 4"],
  ["mec_two_views", "MEC, two views, eps_d = 1"],
  ["mec_two_views_fine", "MEC, two views, eps_d = 1/32"],
  ["mec_weights", "MEC with the weight term"],
] as const;

/** What a report knows of MEC-Quant. */
export const page: PaperPage = {
  id: "mec",
  title: "MEC-Quant: maximum entropy coding for quantization-aware training (reconstruction)",
  citation: "Junbiao Pang, Tianyang Cai and Baochang Zhang, MEC-Quant, 19 September 2025; its base: Liu et al., " +
    "Self-Supervised Learning via Maximum Entropy Coding, NeurIPS 2022, arXiv:2210.11464",
  arxiv: "arXiv:2509.15514v1",
  caveat:
    "Reconstruction: only the abstract of MEC-Quant is known to us, so everything shown as MEC is built from its " +
    "base, MEC, whose paper and code are known, and no number here is the paper's own method.",
  tables: [
    {
      id: "mec-bits",
      title: "mec-bits: full precision, LSQ and MEC by bits, CIFAR-10",
      dataset: "cifar10",
      arms: ["fp", "lsq", "mec"],
      bits: MEC_BITS,
      modelsAreUnknown: true,
    },
    {
      id: "mec-ablation",
      title: "mec-ablation: parts of the reconstruction (LSQ is beta = 0, MEC has K = 4), CIFAR-10, W2A2",
      dataset: "cifar10",
      arms: MEC_ABLATION_ARMS,
      bits: MEC_ABLATION_BITS,
      modelsAreUnknown: true,
    },
  ],
  arms: [
    { id: "fp", title: "Full precision", label: null },
    { id: "lsq", title: "LSQ", label: null },
    ...RECONSTRUCTED.map(([id, title]) => ({ id, title, label: "reconstruction" }) as const),
  ],
  published: PUBLISHED,
  publishedDifferences: [],
  anomalies: [],
  claims: CLAIMS,
  assumptions: [
    "A1: the coded tensor Z is the quantized model's pooled features before the classifier, one row a sample, each row " +
    "divided by its length",
    "A2: one view: the coding length of Z itself is maximized",
    "A3: the log determinant is exact (Cholesky, on the smaller of batch and features), no Taylor series: class features " +
    "have a rank near the class count, where the series of MEC does not converge; orders 2 and 4 are rows of the ablation, " +
    "at the same eps_d",
    "A4: two views, in the ablation only: the student's features of view 1 against those of an averaged copy of it on view " +
    "2, one pairing, series of order 4, 1/lambda falling from 8 times its value over the first tenth of the run, averaging " +
    "factor from 0.996 to 1 by half a cosine, teacher normalized by its batch, all as in MEC's code; no projector and no " +
    "predictor, and both views are the baseline's own crop and flip",
    'A5: "Mixture of Experts" is read as K = 4 experts over channels, grouped by their running mean absolute value, so ' +
    "that outlier channels share an expert; each codes its own block, and the mean over the experts is taken. Over samples, " +
    "in the ablation only: a linear gate on Z without bias and a softmax assign each sample to K = 4 experts, whose lengths " +
    "are summed as in MCR^2; the squared coefficient of variation of the experts' shares is subtracted with weight 1. The " +
    "length of such parts is never above the whole's, so that maximizing it draws the experts together",
    "A6: the weight term, in the ablation only: the exact coding length of each layer's latent weight, a row an output " +
    "channel, the mean over all layers, added to that of the features with weight 1",
    "A7: eps_d = 1/8 for one view, as the rank of class features is near the class count; 1 for two views, where the series " +
    "converges whatever the features, with MEC's 1/32 as a row of its own",
    "A8: the weight beta is a constant of all cells of a protocol, warmed up linearly over the first epoch: 0.1; for protocol " +
    "reduced chosen from 0.03, 0.1, 0.3 and 1 on held-out training images at W2A2 with a seed of its own",
  ],
  deviations: [
    "Bits, recipe, network, data set and quantizer are not stated by the abstract: LSQ as base quantizer, first and last " +
    "layer at 8 bits, and FPQ's recipe are ours",
    'W2A1 stands for the abstract\'s "x-bit activation", whose digit is missing',
  ],
};
