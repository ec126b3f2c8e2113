import type { PaperPage } from "../../src/catalog/paper.ts";
import { CLAIMS } from "./claims.ts";
import { ANOMALIES, PUBLISHED } from "./published.ts";

const W4A4 = { weights: 4, activations: 4 } as const;
const W2A4 = { weights: 2, activations: 4 } as const;
const W2A2 = { weights: 2, activations: 2 } as const;

const CIFAR_ARMS = ["fp", "pact", "lsq", "lsq_plus", "lsq_asymmetric", "kd", "fpq"] as const;

/** What a report knows of FPQ. */
export const page: PaperPage = {
  id: "fpq",
  title: "FPQ: Feature-Perturbed Quantization",
  citation:
    "Junbiao Pang and Tianyang Cai, Stabilizing Quantization-Aware Training by Implicit-Regularization on Hessian " +
    "Matrix, 14 March 2025",
  arxiv: "arXiv:2503.11159v1",
  caveat: null,
  tables: [
    { id: "table4", title: "Table 4: CIFAR-10", dataset: "cifar10", arms: CIFAR_ARMS, bits: [W4A4, W2A4, W2A2] },
    { id: "table5", title: "Table 5: CIFAR-100", dataset: "cifar100", arms: CIFAR_ARMS, bits: [W4A4, W2A4, W2A2] },
    {
      id: "table1",
      title: "Table 1: LSQ trained with SAM, CIFAR-10, W4A4",
      dataset: "cifar10",
      arms: ["lsq", "lsq_sam"],
      bits: [W4A4],
    },
    {
      id: "table2",
      title: "Table 2: the two parts of FPQ, CIFAR-10, W2A4",
      dataset: "cifar10",
      arms: ["lsq", "lsq_asymmetric", "fpq_sfp", "fpq_csd", "fpq"],
      bits: [W2A4],
    },
    {
      id: "table3",
      title: "Table 3: perturbation probability p, CIFAR-10, W2A4",
      dataset: "cifar10",
      arms: ["lsq", "lsq_asymmetric", "fpq_csd", "fpq", "fpq_p03", "fpq_p05", "fpq_p07", "fpq_p09", "fpq_p1"],
      bits: [W2A4],
    },
    {
      id: "fpq-parts",
      title: "fpq-parts: the parts of FPQ, and where the noise is added (ours: no published cells), CIFAR-10",
      dataset: "cifar10",
      arms: ["lsq", "lsq_asymmetric", "fpq_sfp", "fpq_sfp_before", "fpq_csd", "fpq", "fpq_before"],
      bits: [W2A4, W2A2],
    },
    {
      id: "fpq-csd-weight",
      title: "fpq-csd-weight: weight of CSD beside the cross-entropy (ours: no published cells), CIFAR-10",
      dataset: "cifar10",
      arms: ["lsq", "fpq_sfp", "fpq_w01", "fpq_w1", "fpq_w10"],
      bits: [W2A4, W2A2],
    },
  ],
  arms: [
    { id: "fp", title: "Full precision", label: null },
    { id: "pact", title: "PACT", label: null },
    { id: "lsq", title: "LSQ", label: null },
    { id: "lsq_plus", title: "LSQ+", label: null },
    { id: "lsq_sam", title: "LSQ + SAM", label: null },
    { id: "lsq_asymmetric", title: "LSQ, asymmetric (FPQ's own quantizer, no FPQ)", label: null },
    { id: "kd", title: "KD", label: null },
    { id: "fpq_sfp", title: "LSQ + SFP", label: null, controls: ["lsq_asymmetric"] },
    { id: "fpq_sfp_before", title: "LSQ + SFP, noise before the quantizer", label: null, controls: ["lsq_asymmetric"] },
    { id: "fpq_csd", title: "LSQ + CSD (p = 0)", label: null, controls: ["lsq_asymmetric"] },
    { id: "fpq", title: "FPQ (SFP + CSD, p = 0.1)", label: null, controls: ["lsq_asymmetric"] },
    { id: "fpq_before", title: "FPQ, noise before the quantizer", label: null, controls: ["lsq_asymmetric"] },
    { id: "fpq_w01", title: "FPQ, weight of CSD 0.1", label: null, controls: ["lsq_asymmetric"] },
    { id: "fpq_w1", title: "FPQ, weight of CSD 1", label: null, controls: ["lsq_asymmetric"] },
    { id: "fpq_w10", title: "FPQ, weight of CSD 10", label: null, controls: ["lsq_asymmetric"] },
    { id: "fpq_p03", title: "FPQ, p = 0.3", label: null, controls: ["lsq_asymmetric"] },
    { id: "fpq_p05", title: "FPQ, p = 0.5", label: null, controls: ["lsq_asymmetric"] },
    { id: "fpq_p07", title: "FPQ, p = 0.7", label: null, controls: ["lsq_asymmetric"] },
    { id: "fpq_p09", title: "FPQ, p = 0.9", label: null, controls: ["lsq_asymmetric"] },
    { id: "fpq_p1", title: "FPQ, p = 1", label: null, controls: ["lsq_asymmetric"] },
  ],
  published: PUBLISHED,
  publishedDifferences: [],
  anomalies: ANOMALIES,
  claims: CLAIMS,
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
  ],
  deviations: [
    "CSD, Eq. 16 and 17: the squared norm is averaged over the elements of a channel, over channels and over layers; " +
    "summed as printed it would dwarf the cross-entropy; its weight is an option, 1 by default",
    "LSQ+: weights have one step size an output channel, its paper's one a layer",
    "PACT: the first and the last layer are quantized to 8 bits, which its paper leaves in full precision; behind the last " +
    "one, which no batch norm follows, DoReFa's weights enlarge the logits",
  ],
};
