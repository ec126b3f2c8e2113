import type { ArmTitle, PaperPage } from "../../src/catalog/paper.ts";
import { ABLATION, CR_LSQ_PLUS, CR_PACT, PARTLY_LABELLED, type TitledArm } from "./arms.ts";
import { CLAIMS } from "./claims.ts";
import { CR_BITS, PUBLISHED, PUBLISHED_DIFFERENCES, W2A2, W4A4 } from "./published.ts";

/** @param controls Arms without CR: its own quantizer or its own labels alone. */
function standIn({ id, title }: TitledArm, controls: readonly string[] = []): ArmTitle {
  return { id, title, label: "stand-in", ...(controls.length > 0 ? { controls } : {}) };
}

function plain({ id, title }: TitledArm): ArmTitle {
  return { id, title, label: null };
}

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
      arms: ["fp", "fp_trained_on", "lsq", "lsq_two_view", "lsq_ema", "cr"],
      bits: CR_BITS,
    },
    {
      id: "cr-unlabelled",
      title: "cr-unlabelled: a part of the labels, the other images for consistency only, CIFAR-10, W2A2",
      dataset: "cifar10",
      arms: [...PARTLY_LABELLED.flatMap(({ fp, lsq, cr }) => [fp.id, lsq.id, cr.id]), "fp", "lsq", "cr"],
      bits: [W2A2],
    },
    {
      id: "cr-ablation",
      title: "cr-ablation: CR-like with one thing changed a row, CIFAR-10, W2A2",
      dataset: "cifar10",
      arms: ["lsq", "cr", ...ABLATION.map(({ id }) => id)],
      bits: [W2A2],
    },
    {
      id: "cr-base",
      title: "cr-base: CR-like on three quantizers beside each alone, CIFAR-10",
      dataset: "cifar10",
      arms: ["fp", "lsq", "cr", "pact", CR_PACT.id, "lsq_plus", CR_LSQ_PLUS.id],
      bits: [W4A4, W2A2],
    },
  ],
  arms: [
    { id: "fp", title: "Full precision", label: null },
    { id: "fp_trained_on", title: "Full precision, trained on as long (reference)", label: null },
    { id: "lsq", title: "LSQ", label: null },
    { id: "lsq_two_view", title: "LSQ on two views (control)", label: null },
    { id: "lsq_ema", title: "LSQ, averaged weights evaluated (control)", label: null },
    { id: "cr", title: "CR-like", label: "stand-in", controls: ["lsq_two_view", "lsq_ema"] },
    { id: "pact", title: "PACT", label: null },
    standIn(CR_PACT, ["pact"]),
    { id: "lsq_plus", title: "LSQ+", label: null },
    standIn(CR_LSQ_PLUS, ["lsq_plus"]),
    ...PARTLY_LABELLED.flatMap(({ fp, lsq, cr }) => [plain(fp), plain(lsq), standIn(cr, [lsq.id])]),
    ...ABLATION.map((arm) => standIn(arm)),
  ],
  published: PUBLISHED,
  publishedDifferences: PUBLISHED_DIFFERENCES,
  anomalies: [],
  claims: CLAIMS,
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
    "Unlabelled images (cr-unlabelled only): each step has a batch of labelled and one of as many unlabelled images, as Mean " +
    "Teacher on ImageNet; the student sees both as one batch, the cross-entropy is the mean over the labelled, the " +
    "consistency over all",
    "Labelled part: each class equally often, drawn by the run's seed; calibration sees it alone, and the full-precision " +
    "start is trained on it alone, so that no other label is in any run of that row",
    "Equal budget with a part of the labels: as many steps, each with as many labelled images, as with all of them; the " +
    "labelled part is gone through more often. CR-like sees the unlabelled images beside that, at about twice the cost",
    "Strong views (cr-ablation only): crop and flip, then RandAugment as FixMatch has it (2 of 14 operations, each applied " +
    "with probability 1/2 at a random one of 9 levels), then cutout of 16 x 16, grey",
    "Mean squared error: of the softmax outputs, mean over classes, weight 55.6, which pulls as KL does at weight 1 (Mean " +
    "Teacher's scale for 10 classes); cosine: 2 - 2 cos of the pooled features, without a projection, weight 1",
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
