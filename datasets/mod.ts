/** The data sets: one folder or file beside this one and one line here. */
import { cacheFolder } from "../src/data/cache.ts";
import type { DataOptions, Dataset, DatasetDefinition, DatasetFamily } from "../src/data/types.ts";
import { unknownValue } from "../src/errors.ts";
import { cifar10 } from "./cifar10/load.ts";
import { cifar100 } from "./cifar100/load.ts";
import { fashionMnist } from "./fashion_mnist/load.ts";
import { imageFolder } from "./image_folder/load.ts";
import { synthetic } from "./synthetic.ts";

export const DATASETS: readonly DatasetDefinition[] = [cifar10, cifar100, fashionMnist, synthetic];

/** Data sets of the user's own, by the beginning of their names. */
export const DATASET_FAMILIES: readonly DatasetFamily[] = [imageFolder];

/** @throws {InputError} If there is no data set of that name. */
export function datasetNamed(name: string): DatasetDefinition {
  const found = DATASETS.find((dataset) => dataset.name === name);
  if (found) return found;
  const family = DATASET_FAMILIES.find(({ prefix }) => name.startsWith(prefix));
  if (family) return family.named(name);
  const known = [...DATASETS.map(({ name }) => name), ...DATASET_FAMILIES.map(({ pattern }) => pattern)];
  throw unknownValue("data set", name, known);
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
