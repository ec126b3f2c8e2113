import type { DatasetSizes } from "../data/types.ts";
import { InputError } from "../errors.ts";
import type { PlannedRun } from "./plan.ts";
import type { RunSpec } from "../record/spec.ts";

/** How many images a data set has, as far as it is known before it is loaded. */
export type SizesOf = (dataset: string) => DatasetSizes | null;

/** The same, each data set asked once: to count a folder's images takes a moment. */
export function askedOnce(sizesOf: SizesOf): SizesOf {
  const known = new Map<string, DatasetSizes | null>();
  return (dataset) => {
    const sizes = known.has(dataset) ? known.get(dataset)! : sizesOf(dataset);
    known.set(dataset, sizes);
    return sizes;
  };
}

/**
 * Every run of a plan would end with the same fault, hours of other runs later: so it is looked for first.
 * @throws {InputError} If a run asks for more images than its data set has, or a batch for more than are trained on.
 */
export function requireFit(runs: readonly PlannedRun[], sizesOf: SizesOf): void {
  for (const { spec } of runs) {
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
