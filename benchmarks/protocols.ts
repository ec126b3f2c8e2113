import { W2A2, W2A4, W4A4 } from "../src/catalog/bits.ts";
import type { Protocol } from "../src/catalog/protocol.ts";
import type { BaseProtocol } from "../src/record/spec.ts";

/** Raised when the code changes what a run computes. */
const RECIPE_VERSION = 1;

/** Part of the recipe that all protocols share: FPQ's section 4, the only recipe that is known of the three papers. */
const SHARED_RECIPE = {
  version: RECIPE_VERSION,
  momentum: 0.9,
  weightDecay: 5e-4,
  augmentation: "crop_flip",
} as const;

const smoke: Protocol = {
  name: "smoke",
  seeds: [0],
  models: ["resnet8"],
  bits: [W4A4],
  dataset: { trainExamples: 2048, heldOut: 5000, testExamples: 1000, evaluateOn: "test" },
  fullPrecision: { ...SHARED_RECIPE, epochs: 2, batchSize: 64, learningRate: 0.1, warmupEpochs: 0.5 },
  quantized: { ...SHARED_RECIPE, epochs: 1, batchSize: 64, learningRate: 0.02, warmupEpochs: 0.25 },
  calibrationExamples: 100,
  deviations: [
    "Protocol smoke tests the software and says nothing about the paper: a ResNet-8, 2,048 training and 1,000 test images, " +
    "2 epochs in full precision and 1 quantized, batch 64, one seed, W4A4 only (a table without it: its first bits)",
    "Only FP, LSQ and the paper's method of its first table are run, unless a table is asked for by name",
  ],
};

/** By `deno task dev:tune`, as the learning rate of protocol reduced: a test compares with the records of the trials. */
const CHOSEN = { csdWeight: 10, weight: 1, beta: 0.03 };

const reduced: Protocol = {
  name: "reduced",
  seeds: [0, 1, 2],
  models: ["resnet20", "mobilenetv2_narrow"],
  bits: [W4A4, W2A4, W2A2],
  datasets: ["cifar10"],
  dataset: { trainExamples: null, heldOut: 5000, testExamples: null, evaluateOn: "test" },
  fullPrecision: { ...SHARED_RECIPE, epochs: 20, batchSize: 128, learningRate: 0.1, warmupEpochs: 1 },
  quantized: { ...SHARED_RECIPE, epochs: 10, batchSize: 128, learningRate: 0.05, warmupEpochs: 0.5 },
  chosen: CHOSEN,
  calibrationExamples: 100,
  deviations: [
    "ResNet-20 and a narrow MobileNetV2 instead of the paper's models",
    "CIFAR-10 only, unless a table on CIFAR-100 is asked for by name",
    "Full precision: 20 epochs at learning rate 0.1, batch 128, 1 epoch of warm-up",
    "Quantized: 10 epochs at learning rate 0.05, batch 128, half an epoch of warm-up (FPQ: 200 epochs at 0.01, batch " +
    "256, no warm-up stated)",
    "45,000 training images: 5,000 are held out, and chose the learning rate of all quantized arms and, where an arm is not " +
    `about it, FPQ's weight of CSD (${CHOSEN.csdWeight}), CR-like's weight of the consistency (${CHOSEN.weight}) and MEC's beta ` +
    `(${CHOSEN.beta})`,
    "Random crop (padding 4) and flip; 3 seeds unless more are asked for, the same for all arms: each row says how many ran",
  ],
};

/** Budgets of the literature for ResNet-20: shows that the training stack is right at full length. */
const full: Protocol = {
  name: "full",
  seeds: [0, 1, 2],
  models: ["resnet20"],
  bits: [W4A4, W2A2],
  datasets: ["cifar10"],
  dataset: { trainExamples: null, heldOut: 0, testExamples: null, evaluateOn: "test" },
  // He et al. (arXiv:1512.03385) decay weights by 1e-4 and start at 0.1; cosine as in hustzxd/LSQuantization#2.
  fullPrecision: {
    ...SHARED_RECIPE,
    weightDecay: 1e-4,
    epochs: 200,
    batchSize: 128,
    learningRate: 0.1,
    warmupEpochs: 0,
  },
  // The rate of hustzxd/LSQuantization#2, 0.2 at batch 512, scaled to batch 128.
  quantized: {
    ...SHARED_RECIPE,
    weightDecay: 1e-4,
    epochs: 90,
    batchSize: 128,
    learningRate: 0.2 / 512 * 128,
    warmupEpochs: 0,
  },
  calibrationExamples: 100,
  deviations: [
    "ResNet-20 instead of the paper's models, CIFAR-10 only",
    "Full precision: 200 epochs at learning rate 0.1, batch 128, weight decay 1e-4; quantized: 90 epochs at 0.05 from it",
    "All 50,000 training images, last epoch; nothing was chosen on the test set",
    "Random crop (padding 4) and flip; 3 seeds, the same for all arms: each row says how many ran",
  ],
};

const paper: Protocol = {
  name: "paper",
  seeds: [0, 1, 2],
  models: null,
  bits: null,
  dataset: { trainExamples: null, heldOut: 0, testExamples: null, evaluateOn: "test" },
  // The papers give no recipe of the full-precision model: 200 epochs at 0.1 is our assumption.
  fullPrecision: { ...SHARED_RECIPE, epochs: 200, batchSize: 256, learningRate: 0.1, warmupEpochs: 0 },
  quantized: { ...SHARED_RECIPE, epochs: 200, batchSize: 256, learningRate: 0.01, warmupEpochs: 0 },
  calibrationExamples: 100,
  deviations: [
    "Full precision: recipe not given by the papers; we take 200 epochs at learning rate 0.1, batch 256, otherwise as the " +
    "quantized runs, where a row names no other",
    "Random crop (padding 4) and flip: augmentation is not given by the papers",
    "3 seeds, shared by all arms: the number of seeds is not given by the papers",
    "MEC-Quant and CR give no recipe: they are run with FPQ's",
  ],
};

/** The protocols by name. */
export const PROTOCOL_DEFINITIONS: Readonly<Record<BaseProtocol, Protocol>> = { smoke, reduced, full, paper };
