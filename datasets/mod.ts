/** The data sets: one folder or file beside this one and one line here. */
import { cacheFolder } from "../src/data/cache.ts";
import type { DataOptions, Dataset, DatasetDefinition } from "../src/data/types.ts";
import { InputError } from "../src/errors.ts";
import { cifar10 } from "./cifar10/load.ts";
import { fashionMnist } from "./fashion_mnist/load.ts";
import { synthetic } from "./synthetic.ts";

export const DATASETS: readonly DatasetDefinition[] = [cifar10, fashionMnist, synthetic];

/** @throws {InputError} If there is no data set of that name. */
export function datasetNamed(name: string): DatasetDefinition {
  const found = DATASETS.find((dataset) => dataset.name === name);
  if (found) return found;
  throw new InputError(
    `Cannot use data set "${name}" as it is not known: choose one of ${DATASETS.map(({ name }) => name).join(", ")}`,
  );
}

/** Folder of decoded data sets. */
export function dataCache(): string {
  return cacheFolder("data");
}

/**
 * Loads a data set by name.
 * @param options `cache` is `dataCache()` unless it is given.
 * @throws {InputError} If the name is not known, or the data set can be had from no source or is damaged.
 */
export async function loadDataset(name: string, options: Partial<DataOptions> = {}): Promise<Dataset> {
  return await datasetNamed(name).load({ cache: dataCache(), ...options });
}
