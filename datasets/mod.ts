/** The data sets: one folder or file beside this one and one line here. */
import { cacheFolder } from "../src/data/cache.ts";
import type { DatasetDefinition } from "../src/data/types.ts";
import { InputError } from "../src/errors.ts";
import { cifar10 } from "./cifar10/load.ts";

export const DATASETS: readonly DatasetDefinition[] = [cifar10];

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
