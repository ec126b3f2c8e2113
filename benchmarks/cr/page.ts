import type { PaperPage } from "../../src/report/types.ts";
import { CR_BITS, PUBLISHED, PUBLISHED_DIFFERENCES } from "./published.ts";

/** What a report knows of CR. */
export const page: PaperPage = {
  id: "cr",
  title: "CR: consistency regularization for quantization-aware training (stand-in)",
  citation:
    "Junbiao Pang, Tianyang Cai, Jiaqi Wu and Baochang Zhang, In-Distribution Consistency Regularization Improves " +
    "the Generalization of Quantization-Aware Training, 12 January 2025",
  arxiv: "arXiv:2402.13497v2",
  caveat:
    "Stand-in: only abstracts and machine-written summaries of CR are known to us, so what is shown as CR-like is " +
    "Mean Teacher applied to quantization-aware training, and no number here is the paper's own method.",
  tables: [
    {
      id: "cr-main",
      title: "cr-main: full precision, LSQ, its controls and CR-like, CIFAR-10",
      dataset: "cifar10",
      arms: ["fp", "lsq", "lsq_two_view", "lsq_ema", "cr"],
      bits: CR_BITS,
    },
  ],
  arms: [
    { id: "fp", title: "Full precision", label: null },
    { id: "lsq", title: "LSQ", label: null },
    { id: "lsq_two_view", title: "LSQ on two views (control)", label: null },
    { id: "lsq_ema", title: "LSQ, averaged weights evaluated (control)", label: null },
    { id: "cr", title: "CR-like", label: "stand-in" },
  ],
  published: PUBLISHED,
  publishedDifferences: PUBLISHED_DIFFERENCES,
  anomalies: [],
  assumptions: [
    "Consistency: KL divergence of the softmax outputs, averaged teacher to student, temperature 1, no confidence mask, " +
    "mean over the batch (both summaries say KL; direction and temperature are not known)",
    "Averaging factor alpha: min(1 - 1/(t + 1), 0.999), as Mean Teacher",
    "Weight: at most 1, ramped up as exp(-5 (1 - e/E)^2) over E = 5 epochs, or over half of a shorter run, as Mean Teacher " +
    '("carefully scheduled" in a summary; values are not known)',
    "Views: two independent draws of the baseline's own crop and flip; the cross-entropy sees the first",
    "Teacher forward: the same fake-quantized network on averaged weights and averaged step sizes; a full-precision " +
    "teacher would be distillation, which CR is said not to need",
    "Teacher batch normalisation: averaged statistics, inference mode, as EMAN",
    "Teacher start: a copy of the student after calibration",
    "Unlabelled images: none",
    "The student is what is evaluated",
    "Control LSQ on two views: the mean of the cross-entropies of both views, each normalised by its own batch, the running " +
    "statistics updated by both in turn; it costs one backward pass more than CR-like",
    "Control LSQ, averaged weights evaluated: LSQ to the bit in training; weights, step sizes, batch norm parameters and " +
    "statistics are averaged with CR-like's factor alpha",
  ],
  deviations: [
    "The paper's own loss, layer (predictions or latent features), weight, averaging, views, recipe, bits and base " +
    "quantizer are not known: LSQ as base quantizer, first and last layer at 8 bits, and FPQ's recipe are ours",
  ],
};
