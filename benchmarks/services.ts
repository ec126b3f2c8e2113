import { fileURLToPath } from "node:url";
import type { EngineChoice } from "../src/engine/mod.ts";
import type { EngineName } from "../src/engine/types.ts";
import type { Dataset } from "../src/data/types.ts";
import type { ReportFile, ReportInput } from "../src/report/mod.ts";

/** Training images of the data sets, for estimates of runs that use all of them. */
const TRAIN_IMAGES: Readonly<Record<string, number>> = {
  cifar10: 50_000,
  cifar100: 50_000,
  fashion_mnist: 60_000,
};

/** Size of a data set's training split; null: not known. */
export function trainSize(dataset: string): number | null {
  return TRAIN_IMAGES[dataset] ?? null;
}

/** Program and arguments of a run's process. */
export function childCommand(): string[] {
  const main = fileURLToPath(new URL("./child/main.ts", import.meta.url));
  return [Deno.execPath(), "run", "-A", "--quiet", main];
}

/** @throws {InputError} If tensorflow is asked for and not found. */
export async function resolveEngine(choice: EngineChoice): Promise<EngineName> {
  const { resolveEngineName } = await import("../src/engine/mod.ts");
  return await resolveEngineName(choice);
}

/** @throws {InputError} If there is no such data set or it can be had from no source. */
export async function loadDataset(name: string, log: (line: string) => void): Promise<Dataset> {
  const { dataCache, datasetNamed } = await import("../datasets/mod.ts");
  return await datasetNamed(name).load({ cache: dataCache(), log });
}

/** Loaded when there is something to report: a start of the command stays fast. */
export async function renderReports(input: ReportInput): Promise<readonly ReportFile[]> {
  const report = await import("../src/report/mod.ts");
  return report.renderReports(input);
}
