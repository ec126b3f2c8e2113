import { IMPORTED, type RunSpec } from "./spec.ts";

/** The spec of a network that was trained elsewhere, evaluated on all test images. */
export function importedSpec(
  { model, dataset, engine, ...imported }: Pick<RunSpec, "model" | "engine"> & NonNullable<RunSpec["imported"]> & {
    readonly dataset: string;
  },
): RunSpec {
  return {
    schema: 1,
    protocol: IMPORTED,
    arm: `${IMPORTED}_${imported.sha256.slice(0, 8)}`,
    method: { name: "fp", options: {} },
    model,
    dataset: { name: dataset, trainExamples: null, heldOut: 0, testExamples: null, evaluateOn: "test" },
    quantization: null,
    recipe: {
      version: 1,
      epochs: 0,
      batchSize: 0,
      learningRate: 0,
      momentum: 0,
      weightDecay: 0,
      warmupEpochs: 0,
      augmentation: "none",
    },
    seed: 0,
    engine,
    teacher: null,
    imported,
  };
}
