import { fileURLToPath } from "node:url";
import { DATASETS, loadDataset as loadByName } from "../datasets/mod.ts";
import type { EngineChoice } from "../src/engine/mod.ts";
import type { EngineName } from "../src/engine/types.ts";
import type { Dataset } from "../src/data/types.ts";
import type { ReportFile, ReportInput } from "../src/report/mod.ts";

/** Size of a data set's training split; null: not known. */
export function trainSize(dataset: string): number | null {
  return DATASETS.find(({ name }) => name === dataset)?.trainCount ?? null;
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
  return await loadByName(name, { log });
}

/** Loaded when there is something to report: a start of the command stays fast. */
export async function renderReports(input: ReportInput): Promise<readonly ReportFile[]> {
  const report = await import("../src/report/mod.ts");
  return report.renderReports(input);
}
