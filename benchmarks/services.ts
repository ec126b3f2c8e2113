import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DATASETS, loadDataset as loadByName } from "../datasets/mod.ts";
import type { EngineChoice } from "../src/engine/mod.ts";
import type { EngineName } from "../src/engine/types.ts";
import type { Dataset } from "../src/data/types.ts";
import { InputError } from "../src/errors.ts";
import type { ReportFile, ReportInput } from "../src/report/mod.ts";
import type { RunRecord } from "../src/runs/record.ts";
import type { RunSpec } from "../src/runs/spec.ts";

/** Size of a data set's training split; null: not known. */
export function trainSize(dataset: string): number | null {
  return DATASETS.find(({ name }) => name === dataset)?.trainCount ?? null;
}

/** The committed records, for estimates; those that cannot be read are left out. */
export async function committedRecords(): Promise<RunRecord[]> {
  const { parseRecords } = await import("../src/report/records.ts");
  const folder = fileURLToPath(new URL("../reports/records/", import.meta.url));
  try {
    const files = [...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".jsonl"));
    return files.flatMap(({ name }) => parseRecords(Deno.readTextFileSync(join(folder, name)), name));
  } catch (error) {
    // A checkout without records, or with one of another version: estimates are not worth an error.
    if (error instanceof InputError || error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Size of a checkpoint of a run, at most, in MiB; loads tensor code. */
export async function checkpointMiB(spec: RunSpec): Promise<number> {
  return (await import("./checkpoint_size.ts")).checkpointMiB(spec);
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
