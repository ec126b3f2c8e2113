/** Tiny runs on made-up data, for tests of the training loop. */
import type { Dataset, Split } from "../../src/data/types.ts";
import { stream } from "../../src/random/stream.ts";
import { runId, type RunSpec } from "../../src/record/spec.ts";

const SHAPE = [8, 8, 3] as const;

function split(count: number, seed: number): Split {
  const draws = stream({ seed, purpose: "synthetic" }), size = SHAPE[0] * SHAPE[1] * SHAPE[2];
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 10);
  const images = new Uint8Array(count * size);
  // a class is a colour, with noise
  for (let i = 0; i < images.length; i++) {
    const label = labels[Math.floor(i / size)]!;
    images[i] = 40 + ((label * (1 + i % 3) * 67) % 160) + draws.integer(40);
  }
  return { images, labels, count };
}

/** 8 x 8 images of 10 colours: enough for a loss to fall. */
export function tinyDataset(): Dataset {
  return {
    name: "tiny",
    classes: 10,
    imageShape: SHAPE,
    mean: [0.5, 0.5, 0.5],
    std: [0.25, 0.25, 0.25],
    train: split(80, 1),
    test: split(30, 2),
    sha256: "1".repeat(64),
  };
}

/** A run of `method` on them; full precision when the method is `fp`, else from that one. */
export function tinySpec(method: string, changes: Partial<RunSpec> = {}): RunSpec {
  const quantized = method !== "fp";
  return {
    schema: 1,
    protocol: "smoke",
    arm: method,
    method: { name: method, options: {} },
    model: "resnet8",
    dataset: { name: "tiny", trainExamples: null, heldOut: 16, testExamples: null, evaluateOn: "test" },
    quantization: quantized
      ? { quantizer: "lsq", weightBits: 4, activationBits: 4, firstLastBits: 8, calibrationExamples: 20 }
      : null,
    recipe: {
      version: 1,
      epochs: 2,
      batchSize: 16,
      learningRate: 0.05,
      momentum: 0.9,
      weightDecay: 5e-4,
      warmupEpochs: 0.5,
      augmentation: "crop_flip",
    },
    seed: 3,
    engine: "wasm",
    teacher: quantized ? runId(tinySpec("fp")) : null,
    ...changes,
  };
}
