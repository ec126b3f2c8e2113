/** The steps that are measured: which models, which methods, for how long. */

/**
 * Arms that are trained, at W4A4 with 8 bits in the first and the last layer. Their options are those of the papers' arms.
 * The extra pass is the one that the method runs forward, at inference, beside the LSQ step's own pass.
 */
export const ARMS = {
  fp: { title: "full precision", method: { name: "fp", options: {} }, quantizer: null, extraPass: null },
  lsq_w4a4: { title: "LSQ W4A4", method: { name: "qat", options: {} }, quantizer: "lsq", extraPass: null },
  fpq_w4a4: {
    title: "FPQ W4A4",
    method: { name: "fpq", options: { probability: 0.1, csdWeight: 1 } },
    quantizer: "lsq_asymmetric",
    extraPass: "full_precision",
  },
  cr_w4a4: { title: "CR-like W4A4", method: { name: "cr", options: {} }, quantizer: "lsq", extraPass: "quantized" },
  mec_w4a4: {
    title: "MEC (reconstruction) W4A4",
    method: { name: "mec", options: { beta: 0.1, experts: 4, distortion: 1 / 8 } },
    quantizer: "lsq",
    extraPass: null,
  },
} as const;
export type Arm = keyof typeof ARMS;

/** The LSQ step, which a method's step is compared with. */
export const BASE_ARM = "lsq_w4a4" satisfies Arm;

/** Steps that are an LSQ step with more in it. */
export const METHOD_ARMS: readonly Arm[] = ["fpq_w4a4", "cr_w4a4", "mec_w4a4"];

const BASIC = ["fp", BASE_ARM] as const;

/** A model that is measured. */
export interface PeerModel {
  readonly model: string;
  readonly batch: number;
  readonly learningRate: number;
  readonly arms: readonly Arm[];
  /** Subset of `arms` in which Brevitas is measured too. */
  readonly brevitas: readonly Arm[];
}

/**
 * Models that are measured, in which arms, their batch size, and a learning rate at which three steps change the loss by
 * several times the tolerance, but do not yet blow float error up (MobileNetV2 at 0.05: PyTorch's float32 and float64
 * differ by 1 %).
 */
export const PEER_MODELS: readonly PeerModel[] = [
  { model: "resnet20", batch: 128, learningRate: 0.02, arms: Object.keys(ARMS) as Arm[], brevitas: [BASE_ARM] },
  { model: "resnet18", batch: 64, learningRate: 0.002, arms: BASIC, brevitas: [] },
  { model: "mobilenetv2", batch: 128, learningRate: 0.002, arms: BASIC, brevitas: [] },
];

const GPU_ARMS = [BASE_ARM, "fpq_w4a4"] as const;

/** The same on a GPU: a model that does not fill it, and one that does in both of its forms. */
export const GPU_MODELS: readonly PeerModel[] = [
  { model: "resnet20", batch: 128, learningRate: 0.02, arms: GPU_ARMS, brevitas: [] },
  { model: "resnet18", batch: 256, learningRate: 0.002, arms: GPU_ARMS, brevitas: [] },
  { model: "resnet18_imagenet", batch: 256, learningRate: 0.002, arms: GPU_ARMS, brevitas: [] },
];

/** Rule on how long a side is measured; the same for all. */
export interface Rule {
  /** Steps before the clock counts; the losses of the first ones are compared. */
  readonly warmupSteps: number;
  /** Then at least so many steps, */
  readonly leastSteps: number;
  /** and more while they began within so many seconds, */
  readonly seconds: number;
  /** up to so many. */
  readonly mostSteps: number;
}

export const RULE: Rule = { warmupSteps: 3, leastSteps: 5, seconds: 5, mostSteps: 30 };

/** Recipe of the steps, but for the learning rate. */
export const RECIPE = { momentum: 0.9, weightDecay: 5e-4 } as const;
