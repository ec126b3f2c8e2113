import { basename, dirname, join, resolve } from "node:path";
import type { Dataset } from "../data/types.ts";
import { ENGINE_CHOICES, type EngineChoice } from "../engine/types.ts";
import { InputError } from "../errors.ts";
import { digestIn } from "../export/card.ts";
import { compareRun, type RunComparison } from "../export/compare_run.ts";
import { FILES, ownClassesIn } from "../export/export_run.ts";
import { exportsPage, type VerifiedFile } from "../export/exports_table.ts";
import { type OnnxFile, parseOnnx, statedRun } from "../export/onnx_file.ts";
import { type RuntimeName, RUNTIMES } from "../export/runtime/onnx_session.ts";
import { differenceProblems, hasOwnClasses, type Verification, verify } from "../export/verify.ts";
import { processorName } from "../pool/environment.ts";
import { fileExists, readBytesIfThere, readTextIfThere, writeFileAtomic } from "../store/files.ts";
import { checkpointFile } from "../store/store.ts";
import type { RunRecord } from "../record/record.ts";
import type { RunSpec } from "../record/spec.ts";
import { choice, commandLine, engineOption, helpAlone, option, runCommand, wholeNumber } from "./command_line.ts";
import { progressBar } from "./progress_bar.ts";
import { comparisonText, summary } from "./verify_text.ts";
import { finishedRun } from "./export.ts";
import { datasetOf, engineOf, type NetworkServices } from "./network_services.ts";

/** Images whose layers are compared, unless the command line says how many. */
const LAYER_IMAGES = 200;
/** Default of the options that normalise images. */
const SCALE = "the data set's";

interface VerifyOptions {
  readonly dataset?: string;
  readonly run?: string;
  readonly layers?: true;
  /** Left out: 200. */
  readonly images?: number;
  readonly runtime?: RuntimeName;
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
  readonly table?: string;
  readonly engine: EngineChoice;
}

/**
 * `deno task verify`: evaluates ONNX files in ONNX Runtime and compares them with what is known of them.
 * @returns The exit code: 0 verified, 1 a file is not what it says, 2 bad input.
 */
export async function verifyFiles(args: readonly string[], services: NetworkServices): Promise<number> {
  const line = commandLine("verify", "Evaluates ONNX files in ONNX Runtime and compares them with their records", [
    "Files of other tools have one input, the images, and one output, the logits",
    "Exit codes: 0 all are what they say, 1 one is not, 2 bad input",
  ]).argument("<files...>", "files of `deno task export`, or of another tool")
    .addOption(option("--dataset <NAME>", "data set").default(undefined, "the one that the file names"))
    .addOption(option("--run <DIR>", "run that a file was exported from").default(undefined, "the folder above it"))
    .addOption(option("--layers", "compare the integers of all layers with those of our engine"))
    .addOption(
      option(
        "--images <N>",
        "images whose layers are compared",
        wholeNumber("images", { to: 1e6, remedy: "take fewer" }),
      )
        .default(undefined, String(LAYER_IMAGES)),
    )
    .addOption(
      option("--mean <A,B,C>", "mean to subtract from float images", numbers("mean")).default(undefined, SCALE),
    )
    .addOption(
      option("--std <A,B,C>", "deviation to divide float images by", numbers("std")).default(undefined, SCALE),
    )
    .addOption(engineOption())
    .addOption(option("--table <FILE>", "add a row to this page for each file that has a record"))
    .addOption(choice("--runtime <NAME>", "form of ONNX Runtime", RUNTIMES).default(undefined, "native, else wasm"));
  if (helpAlone(line, args, services)) return 0;
  return await runCommand<VerifyOptions>(line, args, {
    output: services,
    act: async (options) => {
      if (options.images !== undefined && !options.layers) {
        throw new InputError(
          `Cannot use --images ${options.images} without --layers: add it, as classes are compared on all images`,
        );
      }
      const rows: VerifiedFile[] = [], detailed = line.args.length === 1;
      const page = options.table === undefined ? null : resolve(options.table);
      const before = page === null ? "" : readTextIfThere(page) ?? "";
      if (page !== null) writeFileAtomic(page, exportsPage([], before)); // tried before the evaluations, which take long
      let verified = true;
      for (const file of line.args) {
        const { problems, row } = await verifyOne(resolve(file), options, { ...services, detailed });
        if (row) rows.push(row);
        verified &&= problems.length === 0;
      }
      if (page !== null) writeFileAtomic(page, exportsPage(rows, before));
      return verified ? 0 : 1;
    },
  });
}

async function verifyOne(
  path: string,
  options: VerifyOptions,
  services: NetworkServices & { readonly detailed: boolean },
): Promise<{ problems: readonly string[]; row: VerifiedFile | null }> {
  const bytes = readBytesIfThere(path);
  if (bytes === null) throw new InputError(`Cannot verify "${path}" as there is no such file: give a file of ONNX`);
  const file = parseOnnx(bytes, path), card = readTextIfThere(join(dirname(path), FILES.card));
  const cardSha256 = card && digestIn(card, basename(path));
  if (cardSha256 !== null && cardSha256 !== file.sha256) {
    throw new InputError(
      `Cannot verify "${path}" as its SHA-256 is ${file.sha256} and its card states ${cardSha256}: export the run again, or ` +
        "move the file away from the card",
    );
  }
  const stated = statedRun(file, path), name = options.dataset ?? stated?.spec.dataset.name;
  if (name === undefined) {
    throw new InputError(`Cannot verify "${path}" as it names no data set: give its name with --dataset`);
  }
  const normalised = (["mean", "std"] as const).find((option) => options[option] !== undefined);
  if (normalised !== undefined && file.input.type === "uint8") {
    throw new InputError(`Cannot use --${normalised} with "${path}" as its input is bytes: leave it out`);
  }
  if (options.run) runOfFile(path, { file, folder: resolve(options.run) }); // known before the evaluation, which is long
  const dataset = await datasetOf(services, name);
  const own = name === stated?.spec.dataset.name ? stated : null, recorded = own?.top1 ?? null;
  if (own) requireData(file.metadata["dataSha256"], { path, dataset });
  const count = own?.spec.dataset.testExamples ?? dataset.test.count;
  const bar = services.terminal ? progressBar(count, "images") : null;
  let found: Verification;
  try {
    found = await verify(file, {
      dataset,
      count,
      ownClasses: own ? ownClassesIn(readBytesIfThere(join(dirname(path), FILES.safetensors)), count) : null,
      recordedTop1: recorded,
      progress: (images) => bar?.update(images),
      ...(options.runtime && { runtime: options.runtime }),
      normalisation: { mean: options.mean ?? dataset.mean, std: options.std ?? dataset.std },
    });
  } finally {
    bar?.stop();
  }
  services.stdout(
    summary(
      { path, file, cardSha256, dataset: name, recorded, detailed: services.detailed },
      found,
    ),
  );
  const comparison = await comparisonOf(path, { file, found, options, dataset, services });
  if (comparison) services.stdout(comparisonText(comparison));
  const explained = new Set(comparison?.firstOf.filter(({ tied }) => tied).map(({ image }) => image));
  const unlike = differenceProblems(file, { ...found, explained });
  const problems = [...found.problems, ...(comparison?.problems ?? []), ...unlike];
  const verified = hasOwnClasses(file)
    ? "Verified, but for accuracy and classes: biases are rounded, so they are its own\n"
    : "Verified\n";
  services.stdout(
    problems.length === 0 ? verified : problems.map((problem) => `Not verified: ${problem}\n`).join(""),
  );
  const row = own && { file, found, recordedTop1: own.top1, cpu: processorName() };
  return { problems, row };
}

/**
 * The record of the run that a file was exported from.
 * @throws {InputError} If the folder is of another run.
 */
function runOfFile(path: string, { file, folder }: { file: OnnxFile; folder: string }): RunRecord {
  const record = finishedRun(folder, "compare with"), stated = file.metadata["run"];
  if (record.id === stated) return record;
  throw new InputError(
    `Cannot compare "${path}" with run ${record.id} in ${folder} as it was exported from ` +
      `${stated === undefined ? "no run" : `run ${stated}`}: give that run's folder with --run, or leave --run out`,
  );
}

/** Compares layers where that is asked for, or where classes differ and the run is at hand. */
async function comparisonOf(
  path: string,
  { file, found, options, dataset, services }: {
    file: OnnxFile;
    found: Verification;
    options: VerifyOptions;
    dataset: Dataset;
    services: NetworkServices;
  },
): Promise<RunComparison | null> {
  const above = dirname(dirname(path)), isRun = fileExists(join(above, "record.json"));
  const folder = options.run ? resolve(options.run) : isRun ? above : null;
  const asked = options.layers === true, integer = hasOwnClasses(file);
  if (asked && integer) {
    throw new InputError(
      `Cannot compare the layers of "${path}" as its biases are rounded, so that its integers are its own: compare those of ` +
        `${FILES.onnx} beside it`,
    );
  }
  const different = found.different?.map(({ image }) => image) ?? [];
  if (integer || (!asked && (folder === null || different.length === 0))) return null;
  if (folder === null) {
    throw new InputError(
      `Cannot compare the layers of "${path}" as its run is not known: give the run's folder with --run`,
    );
  }
  const record = runOfFile(path, { file, folder });
  if (record.spec.quantization === null) {
    if (!asked) return null;
    throw new InputError(`Cannot compare the layers of "${path}" as it is full precision: leave --layers out`);
  }
  const images = asked
    ? Array.from({ length: Math.min(options.images ?? LAYER_IMAGES, found.images) }, (_, i) => i)
    : [];
  return await compareRun(file, {
    record,
    checkpoint: checkpointFile(dirname(dirname(folder)), record.id),
    engine: await engineOf(services, { choice: options.engine, own: engineOfClasses(file, record.spec) }),
    dataset,
    images: [...new Set([...images, ...different])],
    ...(options.runtime && { runtime: options.runtime }),
  });
}

/** The engine of our own evaluation: files of older code name that of the run alone. */
function engineOfClasses({ metadata: { ownEngine } }: OnnxFile, { engine }: RunSpec): EngineChoice {
  return ENGINE_CHOICES.find((name) => name === ownEngine) ?? engine;
}

/** @throws {InputError} If the images are others than those of the run. */
function requireData(stated: string | undefined, { path, dataset }: { path: string; dataset: Dataset }): void {
  if (stated === dataset.sha256) return;
  throw new InputError(
    `Cannot verify "${path}" as its data set ${dataset.name} had SHA-256 ${stated}, but here it has ${dataset.sha256}: ` +
      "restore the data set that it was trained on",
  );
}

function numbers(option: string): (text: string) => number[] {
  return (text) => {
    const parts = text.split(","), values = parts.map(Number);
    if (parts.every((part) => part.trim() !== "") && values.every(Number.isFinite)) return values;
    throw new InputError(
      `Cannot use --${option} "${text}" as it must be numbers between commas: give one a channel, such as 0.5,0.5,0.5`,
    );
  };
}
