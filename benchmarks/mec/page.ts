import type { PaperPage } from "../../src/report/types.ts";
import { MEC_BITS, PUBLISHED } from "./published.ts";

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
    },
  ],
  arms: [
    { id: "fp", title: "Full precision", label: null },
    { id: "lsq", title: "LSQ", label: null },
    { id: "mec", title: "MEC", label: "reconstruction" },
  ],
  published: PUBLISHED,
  publishedDifferences: [],
  anomalies: [],
  assumptions: [
    "A1: the coded tensor Z is the quantized model's pooled features before the classifier, one row a sample, each row " +
    "divided by its length",
    "A2: one view: the coding length of Z itself is maximized",
    "A3: the log determinant is exact (Cholesky, on the smaller of batch and features), no Taylor series: class features " +
    "have a rank near the class count, where the series of MEC does not converge",
    "A4: two views against an averaged teacher, as in MEC's code, are an option of the reconstruction that is not built yet",
    'A5: "Mixture of Experts" is read as K = 4 experts over channels, grouped by their running mean absolute value, so ' +
    "that outlier channels share an expert; each codes its own block, and the mean over the experts is taken",
    "A6: the coding length of weights is an option of the reconstruction that is not built yet",
    "A7: eps_d = 1/8, as the rank of class features is near the class count (MEC: 1/32 for two views)",
    "A8: the weight beta is a constant of all cells, warmed up linearly over the first epoch; it is to be chosen from " +
    "0.03, 0.1, 0.3, 1 and 3 on held-out training images at W2A2 with a seed of its own",
  ],
  deviations: [
    "Bits, recipe, network, data set and quantizer are not stated by the abstract: LSQ as base quantizer, first and last " +
    "layer at 8 bits, and FPQ's recipe are ours",
    'W2A1 stands for the abstract\'s "x-bit activation", whose digit is missing',
  ],
};
