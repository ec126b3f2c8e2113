/** FPQ, Pang and Cai 2025, arXiv:2503.11159v1. Run: deno task bench --paper fpq */
import { W2A2, W2A4, W4A4 } from "../../src/catalog/bits.ts";
import type { Arm, Paper, Tolerance } from "../../src/catalog/paper.ts";
import { FP, LSQ, LSQ_ASYMMETRIC, LSQ_PLUS, PACT } from "../arms.ts";
import { CLAIMS } from "./claims.ts";
import { networksText, onCifar10 } from "../networks.ts";
import { ANOMALIES, PUBLISHED } from "./published.ts";

/** Section 4.1 and Table 3: p = 0.1 is best. */
const PROBABILITY = 0.1;

/** Weight of L_CSD where a protocol has not chosen one: Eq. 22 has none. */
const CSD_WEIGHT = 1;

/** Distillation from the own full precision. The paper gives neither form nor quantizer: LSQ, so that KD alone differs from it. */
export const KD: Arm = {
  ...LSQ,
  id: "kd",
  title: "KD",
  method: { name: "kd", options: { temperature: 4, weight: 1 } },
};

/** Table 1's row: LSQ trained with SAM at the SAM paper's own rho for CIFAR; FPQ gives none. */
const LSQ_SAM: Arm = { ...LSQ, id: "lsq_sam", title: "LSQ + SAM", method: { name: "sam", options: { rho: 0.05 } } };

/** FPQ with some of its options changed. */
function fpq(
  id: string,
  title: string,
  changes: { probability?: number; csdWeight?: number; place?: "before" } = {},
): Arm {
  return {
    ...LSQ_ASYMMETRIC,
    id,
    title,
    controls: [LSQ_ASYMMETRIC.id],
    method: { name: "fpq", options: { probability: PROBABILITY, csdWeight: CSD_WEIGHT, ...changes } },
    ...(changes.csdWeight === undefined ? { tuned: "csdWeight" } : {}),
  };
}

export const FPQ = fpq("fpq", "FPQ (SFP + CSD, p = 0.1)");
const FPQ_SFP = fpq("fpq_sfp", "LSQ + SFP", { csdWeight: 0 });
const FPQ_CSD = fpq("fpq_csd", "LSQ + CSD (p = 0)", { probability: 0 });

/** Probabilities of Table 3 that are no arm of another table: 0 is `fpq_csd`, 0.1 is `fpq`. */
const FPQ_SWEEP = [0.3, 0.5, 0.7, 0.9, 1].map((probability) =>
  fpq(`fpq_p${String(probability).replace(".", "")}`, `FPQ, p = ${probability}`, { probability })
);

/** Ablations of ours: the place where δ is added, which Eq. 14 does not say. */
const FPQ_BEFORE = fpq("fpq_before", "FPQ, noise before the quantizer", { place: "before" });
const FPQ_SFP_BEFORE = fpq("fpq_sfp_before", "LSQ + SFP, noise before the quantizer", {
  csdWeight: 0,
  place: "before",
});

/** Ablations of ours: weights of L_CSD, which is a mean here. They stay as they are, whatever a protocol chose for `fpq`. */
const FPQ_WEIGHTS = [0.1, 1, 10].map((csdWeight) =>
  fpq(`fpq_w${String(csdWeight).replace(".", "")}`, `FPQ, weight of CSD ${csdWeight}`, { csdWeight })
);

/** Section 4: the learning rate of the runs that the paper describes. */
const OWN_RATE = { learningRate: 0.01 };

/** `fp-form`: full precision by the paper's own recipe; protocol paper has everything of it but the learning rate. */
const FP_FORM: Arm = {
  ...FP,
  id: "fp_form",
  title: "Full precision, learning rate 0.01, crop and flip",
  recipe: OWN_RATE,
};
const FP_FORM_PLAIN: Arm = {
  ...FP,
  id: "fp_form_plain",
  title: "Full precision, learning rate 0.01, no augmentation (rival)",
  recipe: { ...OWN_RATE, augmentation: "none" },
};

const FP_FORM_PRETRAINED: Arm = {
  ...FP_FORM,
  id: "fp_form_pretrained",
  title: "Full precision, learning rate 0.01, crop and flip, from an imported network (rival)",
  start: FP,
  needsImport: true,
};

/** Published full precision of ResNet-18, which the form of the network is to explain. */
const FP_PUBLISHED = PUBLISHED.find(({ table, model, arm }) =>
  table === "table4" && model === "resnet18" && arm === "fp"
)!.top1Percent!;

/** Fixed on 2026-11-29, before the first run of the table. */
const FP_FORM_MARGIN = 1;

function fpForm(arm: Arm, model: string, source: string): Tolerance {
  return {
    protocol: "paper",
    dataset: "cifar10",
    model,
    arm: arm.id,
    bits: null,
    quantity: "top1",
    least: FP_PUBLISHED - FP_FORM_MARGIN,
    most: FP_PUBLISHED + FP_FORM_MARGIN,
    inside: arm === FP_FORM && model === "resnet18_imagenet",
    source,
  };
}

const RIVAL = "a rival, which must miss, or the form of the paper's network stays open";

/** The claim that the ImageNet form explains the published full precision, and its rivals. */
const TOLERANCES: readonly Tolerance[] = [
  fpForm(FP_FORM, "resnet18_imagenet", `Table 4, full precision of ResNet-18: ${FP_PUBLISHED} +- ${FP_FORM_MARGIN}`),
  fpForm(FP_FORM, "resnet18", RIVAL),
  fpForm(FP_FORM_PLAIN, "resnet18_imagenet", RIVAL),
  fpForm(FP_FORM_PLAIN, "resnet18", RIVAL),
  {
    ...fpForm(FP_FORM_PRETRAINED, "resnet18_imagenet", `${RIVAL}; needs ImageNet weights (deno task teacher)`),
    fromImport: true,
  },
];

/** Tables 4 and 5. */
const NETWORKS = ["resnet18", "resnet50", "mobilenetv1", "mobilenetv2"] as const;
const MAIN = {
  bits: [W4A4, W2A4, W2A2],
  arms: [FP, PACT, LSQ, LSQ_PLUS, LSQ_ASYMMETRIC, KD, FPQ],
};

/** The other tables with ResNet-18 alone. */
const RESNET18 = { dataset: "cifar10", ...onCifar10("resnet18") };

/** All that is known of FPQ. */
export const fpqPaper: Paper = {
  id: "fpq",
  title: "FPQ: Feature-Perturbed Quantization",
  citation:
    "Junbiao Pang and Tianyang Cai, Stabilizing Quantization-Aware Training by Implicit-Regularization on Hessian " +
    "Matrix, 14 March 2025",
  arxiv: "arXiv:2503.11159v1",
  caveat: null,
  tables: [
    { ...MAIN, ...onCifar10(...NETWORKS), id: "table4", title: "Table 4: CIFAR-10", dataset: "cifar10" },
    { ...MAIN, models: NETWORKS, id: "table5", title: "Table 5: CIFAR-100", dataset: "cifar100" },
    {
      id: "table1",
      title: "Table 1: LSQ trained with SAM, CIFAR-10, W4A4",
      dataset: "cifar10",
      ...onCifar10("resnet18", "mobilenetv2"),
      bits: [W4A4],
      arms: [LSQ, LSQ_SAM],
    },
    {
      ...RESNET18,
      id: "table2",
      title: "Table 2: the two parts of FPQ, CIFAR-10, W2A4",
      bits: [W2A4],
      arms: [LSQ, LSQ_ASYMMETRIC, FPQ_SFP, FPQ_CSD, FPQ],
    },
    {
      ...RESNET18,
      id: "table3",
      title: "Table 3: perturbation probability p, CIFAR-10, W2A4",
      bits: [W2A4],
      arms: [LSQ, LSQ_ASYMMETRIC, FPQ_CSD, FPQ, ...FPQ_SWEEP],
    },
    {
      ...RESNET18,
      id: "fpq-parts",
      title: "fpq-parts: the parts of FPQ, and where the noise is added (ours: no published cells), CIFAR-10",
      bits: [W2A4, W2A2],
      arms: [LSQ, LSQ_ASYMMETRIC, FPQ_SFP, FPQ_SFP_BEFORE, FPQ_CSD, FPQ, FPQ_BEFORE],
    },
    {
      ...RESNET18,
      id: "fpq-csd-weight",
      title: "fpq-csd-weight: weight of CSD beside the cross-entropy (ours: no published cells), CIFAR-10",
      bits: [W2A4, W2A2],
      arms: [LSQ, FPQ_SFP, ...FPQ_WEIGHTS],
    },
    {
      id: "fp-form",
      title:
        "fp-form: the form of ResNet-18 in full precision, by the paper's recipe (ours: no published cells), CIFAR-10",
      dataset: "cifar10",
      models: ["resnet18_imagenet", "resnet18"],
      bits: [],
      arms: [FP_FORM, FP_FORM_PLAIN, FP_FORM_PRETRAINED],
      protocols: ["paper"],
    },
  ],
  arms: [
    ...[
      FP,
      FP_FORM,
      FP_FORM_PLAIN,
      FP_FORM_PRETRAINED,
      PACT,
      LSQ,
      LSQ_PLUS,
      LSQ_SAM,
      LSQ_ASYMMETRIC,
      KD,
      FPQ_SFP,
      FPQ_SFP_BEFORE,
      FPQ_CSD,
      FPQ,
      FPQ_BEFORE,
    ],
    ...FPQ_WEIGHTS,
    ...FPQ_SWEEP,
  ],
  published: PUBLISHED,
  publishedDifferences: [],
  anomalies: ANOMALIES,
  claims: CLAIMS,
  tolerances: TOLERANCES,
  assumptions: [
    "CSD, Eq. 15: epsilon is not given; we take 1e-5, as batch normalisation does",
    "CSD, Eq. 15: the axes of the channel's mean and variance are not given; we take batch, height and width, as batch " +
    "normalisation does",
    "SFP, Eq. 14: whether the noise is added before or after the input's quantizer is not given; we add it after, so " +
    "that the convolution sees it unrounded; table fpq-parts has the other place",
    "CSD, Eq. 22: the loss has no weight before L_CSD; as our L_CSD is a mean where the paper has a sum, its weight is " +
    "ours to choose: 1, or what a protocol chose on held-out images; table fpq-csd-weight has 0, 0.1, 1 and 10",
    "SFP, Eq. 14: whether the step size gets a gradient through the noise is not given; the noise is the step size times a " +
    "draw that is fixed in a step, so its gradient sees it",
    "SFP: one draw a layer and step decides with probability p whether that layer is perturbed, independently of the " +
    "other layers (Proposition 1 needs it)",
    "Quantizer, Eq. 3 to 6: the calibration range is widened to include zero, so that zero is a level and padding is exact",
    "Quantizer: the LSQ gradient scale 1 / sqrt(N q_max) of an activation counts the elements of the whole batch, as " +
    "MQBench does, on which the paper builds",
    "The teacher of CSD is the full-precision model that the run starts from, of the same seed, in inference mode",
    "KD: form, temperature, weight and quantizer are not given; we take cross-entropy + T^2 KL(teacher || student) at T = 4 " +
    "with weight 1 on LSQ, from the run's own full precision in inference mode",
    "PACT: alpha starts at the largest value of the calibration images, and its L2 regulariser has the coefficient of the " +
    "weights' decay; signed inputs, which a PACT network does not have, are clipped to [-alpha, alpha]",
    "LSQ + SAM: rho is not given; 0.05, as the paper of SAM has for CIFAR; latent weights, biases and batch norm parameters " +
    "are perturbed, step sizes are not",
    "LSQ+: step size and offset of activations start at the least squared error over a sample of at most 16,384 values of " +
    "what the 100 calibration images give (its paper: over some batches, by gradient descent)",
    "LSQ+: the offset beta of activations takes LSQ's gradient scale, as the step size does",
    "Figures 1, 2 and 5: only their axes are given; output variance, gradient norm under noise and trace of the Hessian are " +
    "measured as docs/methods.md defines them, with our noise, images and differences; of a quantized network the trace " +
    "is of the straight-through gradient by the weights that it computes with",
    "Networks: their form is not given. Full precision of ResNet-18 is 88.72 on CIFAR-10, where a CIFAR form reaches 93 to " +
    "95 with crop and flip and an ImageNet form about 88 (github.com/google/jaxopt, pull request 490); on CIFAR-100 it is " +
    "75.40, where a CIFAR form has 70 and more and torchvision's 55 (github.com/weiaicunzai/pytorch-cifar100, issue 29). So " +
    `Tables 1 to 4 take ${
      networksText(...NETWORKS)
    }; Table 5 takes the CIFAR forms. Table fp-form tests this: see Tolerances`,
  ],
  deviations: [
    "CSD, Eq. 16 and 17: the squared norm is averaged over the elements of a channel, over channels and over layers; " +
    "summed as printed it would dwarf the cross-entropy; its weight is an option, 1 by default",
    "LSQ+: weights have one step size an output channel, its paper's one a layer",
    "PACT: the first and the last layer are quantized to 8 bits, which its paper leaves in full precision; behind the last " +
    "one, which no batch norm follows, DoReFa's weights enlarge the logits",
  ],
};
