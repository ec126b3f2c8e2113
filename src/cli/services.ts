/** Services of this machine: what commands need beside their options. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder } from "../data/cache.ts";
import { DATASET_FAMILIES, DATASETS, loadDataset as loadByName } from "../../datasets/mod.ts";
import { cudaFolder, gpuExpected } from "../engine/locate.ts";
import type { EngineChoice, EngineName } from "../engine/types.ts";
import type { Dataset, DatasetSizes } from "../data/types.ts";
import { InputError, orNull } from "../errors.ts";
import type { ReportFile, ReportInput } from "../report/mod.ts";
import { PAPERS } from "../../benchmarks/mod.ts";
import type { Paper } from "../catalog/paper.ts";
import { processorOf } from "../record/environment.ts";
import { captureEnvironment } from "../pool/environment.ts";
import { type Gpu, visibleGpus } from "../pool/gpus.ts";
import { listenForInterrupts } from "../pool/interrupts.ts";
import { machineMemoryMiB } from "../pool/limits.ts";
import type { RunRecord } from "../record/record.ts";
import type { RunSpec } from "../record/spec.ts";
import { namesIn, readTextIfThere } from "../store/files.ts";
import type { BenchServices } from "./bench_options.ts";
import type { Console } from "./console.ts";
import { keepRate, readRates } from "./rates.ts";

/** Gives the services of this machine, but for its console. */
export function benchServices(papers: readonly Paper[] = PAPERS): Omit<BenchServices, keyof Console> {
  return {
    papers,
    resolveEngine,
    prepareDataset: async (name, log) => void await loadDataset(name, log),
    datasetSizes,
    renderReports,
    command: childCommand,
    committedRecords,
    rates: readRates,
    keepRate,
    processor,
    trainingWork: async () => (await import("../plan/network_size.ts")).trainingWork,
    checkpointMiB: async (spec) => (await import("../plan/network_size.ts")).checkpointMiB(spec),
    memoryMiB: machineMemoryMiB(),
    cores: navigator.hardwareConcurrency,
    gpus,
    requireBfloat16: async (engine) => await (await import("../engine/mod.ts")).requireBfloat16(engine),
    listenForInterrupts,
  };
}

/** Counts the images of a data set; null: not known before it is loaded, or no such data set. */
export function datasetSizes(dataset: string): DatasetSizes | null {
  const family = DATASET_FAMILIES.find(({ prefix }) => dataset.startsWith(prefix));
  const found = family?.named(dataset) ?? DATASETS.find(({ name }) => name === dataset);
  return found?.sizes() ?? null;
}

/** The committed records, for estimates; those that cannot be read are left out. */
export async function committedRecords(): Promise<RunRecord[]> {
  const { parseRecords } = await import("../report/read/records.ts");
  const folder = fileURLToPath(new URL("../../reports/records/", import.meta.url));
  const names = namesIn(folder).filter((name) => name.endsWith(".jsonl"));
  // Records of another version: estimates are not worth an error.
  return orNull(() => names.flatMap((name) => parseRecords(readTextIfThere(join(folder, name)) ?? "", name))) ?? [];
}

/** The GPUs that runs of engine tensorflow will compute on. */
export async function gpus(): Promise<readonly Gpu[]> {
  return await gpuExpected() ? visibleGpus() : [];
}

/** Processor that runs of an engine have on this machine. */
async function processor(name: EngineName): Promise<string> {
  const device = name === "tensorflow" && (await gpus()).length > 0 ? "gpu" : "cpu";
  const isa = name === "onednn" ? await (await import("../engine/mod.ts")).instructionsOf(name) : null;
  return processorOf(captureEnvironment({ name, device, versions: isa === null ? {} : { isa }, threads: 1 }));
}

/** Where and with what the processes of a grid's runs compute. */
export interface ChildPlace {
  readonly out: string;
  readonly engine: EngineName;
}

/**
 * Program and arguments of a run's process, with the least rights that it needs (docs/cluster.md): no network, no other
 * program, and no folder to write but the grid's own.
 */
export async function childCommand(place: ChildPlace): Promise<string[]> {
  const main = fileURLToPath(new URL("./child.ts", import.meta.url));
  const { libraryOf } = await import("../engine/mod.ts");
  const library = await libraryOf(place.engine); // asked for once, as a search may ask a Python
  const rights = childRights({ out: place.out, library });
  return [Deno.execPath(), "run", "--quiet", ...rights, main, ...(library === null ? [] : ["--library", library])];
}

/** Deno's permission flags of a run's process. @throws {InputError} If a path has a comma. */
export function childRights({ out, library }: { out: string; library: string | null }): string[] {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const own = Deno.env.get("REQUANT_DATA");
  const cuda = library === null ? null : cudaFolder(library); // XLA's ptxas and libdevice are there
  const libraries = [...(library === null ? [] : [dirname(library)]), ...(cuda === null ? [] : [cuda])];
  const read = [root, out, cacheFolder("data"), ...(own ? [own] : []), ...libraries];
  return [
    "--no-prompt",
    `--allow-read=${read.map(listed).join(",")}`,
    `--allow-write=${listed(out)}`,
    // Native code is bound by no right of Deno: engine wasm runs without.
    ...(library === null ? [] : ["--allow-ffi"]),
    "--allow-env",
    // memory: an image folder that does not fit is refused
    "--allow-sys=cpus,osRelease,homedir,systemMemoryInfo",
  ];
}

/** A path in a list of Deno's, which has no way to write a comma in one. @throws {InputError} If there is one. */
function listed(path: string): string {
  if (!path.includes(",")) return path;
  throw new InputError(`Cannot use the folder "${path}" as its name has a comma: choose one without`);
}

/** @throws {InputError} If tensorflow is asked for and not found. */
export async function resolveEngine(choice: EngineChoice): Promise<EngineName> {
  const { resolveEngineName } = await import("../engine/mod.ts");
  return await resolveEngineName(choice);
}

/** @throws {InputError} If there is no such data set or it can be had from no source. */
export async function loadDataset(name: string, log: (line: string) => void): Promise<Dataset> {
  return await loadByName(name, { log });
}

/** Loaded when there is something to report: a start of the command stays fast. */
export async function renderReports(input: ReportInput): Promise<readonly ReportFile[]> {
  const [report, { trainingCost }] = await Promise.all([
    import("../report/mod.ts"),
    import("../plan/network_size.ts"),
  ]);
  const costOf = (spec: RunSpec) => trainingCost(spec, datasetSizes);
  return report.renderReports({ costOf, ...input });
}
