import { requireBitsOfSpec } from "../catalog/least_bits.ts";
import type { DatasetSizes } from "../data/types.ts";
import { InputError } from "../errors.ts";
import type { PlannedRun, RunSpec } from "../record/spec.ts";

/** Counts the images of a data set that is not loaded yet; null: not known before. */
export type SizesOf = (dataset: string) => DatasetSizes | null;

/** Remembers the counts: to count a folder's images takes a moment. */
export function askedOnce(sizesOf: SizesOf): SizesOf {
  const known = new Map<string, DatasetSizes | null>();
  return (dataset) => {
    const sizes = known.has(dataset) ? known.get(dataset)! : sizesOf(dataset);
    known.set(dataset, sizes);
    return sizes;
  };
}

/**
 * Refuses a plan whose runs would all end with the same fault, before hours of other runs.
 * @throws {InputError} If a run asks for more images than its data set has, a batch for more than are trained on, or a
 * quantizer for bits that its grid does not have.
 */
export function requireFit(runs: readonly PlannedRun[], sizesOf: SizesOf): void {
  for (const { spec } of runs) {
    requireBitsOfSpec(spec);
    const sizes = sizesOf(spec.dataset.name);
    if (sizes !== null && !fits(spec, sizes)) throw misfit(spec, sizes);
  }
}

function fits({ dataset, recipe }: RunSpec, { train, test }: DatasetSizes): boolean {
  const left = train - dataset.heldOut, used = dataset.trainExamples ?? left;
  return used <= left && recipe.batchSize <= used && (dataset.testExamples ?? test) <= test;
}

function misfit({ protocol, dataset, recipe }: RunSpec, { train, test }: DatasetSizes): InputError {
  const { name, heldOut, trainExamples, testExamples } = dataset;
  const rest = trainExamples === null ? "the rest" : `${trainExamples} of the rest`;
  return new InputError(
    `Cannot run protocol ${protocol} on data set "${name}" as it has ${train} training and ${test} test images, and the ` +
      `runs hold out ${heldOut}, train on ${rest} in batches of ${recipe.batchSize} and are tested on ${
        testExamples ?? "all"
      }: ` +
      "give the paper's table `changes` of heldOut, trainExamples, batchSize or testExamples (docs/extending.md)",
  );
}
