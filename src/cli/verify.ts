/** `deno task verify`: an ONNX file evaluated in ONNX Runtime and compared with what is known of it. */
import cliProgress from "cli-progress";
import { Command, Option } from "commander";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { parse as parseYaml } from "yaml";
import type { Dataset } from "../data/types.ts";
import { openEngine } from "../engine/mod.ts";
import { InputError } from "../errors.ts";
import { CARD_KEY } from "../export/card.ts";
import { compareRun, type RunComparison } from "../export/compare_run.ts";
import { FILES, OWN_CLASSES } from "../export/export_run.ts";
import { type OnnxFile, parseOnnx } from "../export/onnx_file.ts";
import { type RuntimeName, RUNTIMES } from "../export/runtime/onnx_session.ts";
import { readSafetensor } from "../export/safetensors.ts";
import { type Verification, verify } from "../export/verify.ts";
import type { RunSpec } from "../record/spec.ts";
import { fileExists, readBytesIfThere, readTextIfThere } from "../store/files.ts";
import { checkpointFile } from "../store/store.ts";
import { type ExportServices, finishedRun } from "./export.ts";
import { runLine } from "./line.ts";
import { loadDataset } from "./services.ts";

interface Flags {
  readonly dataset?: string;
  readonly run?: string;
  readonly layers?: number;
  readonly runtime?: RuntimeName;
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
}

/** Images whose integers `--layers` compares, unless it says how many. */
const LAYER_IMAGES = 200;

/** Verifies files. @returns The exit code: 0 verified, 1 a file is not what it says, 2 bad input. */
export async function main(args: readonly string[], services: ExportServices): Promise<number> {
  const line = new Command("deno task verify")
    .description("Evaluates ONNX files in ONNX Runtime on all test images, and compares them with their records")
    .argument("<files...>", "files of `deno task export`, or of another tool with one input of images")
    .option("--dataset <NAME>", "data set; default: the one that the file names")
    .option("--run <DIR>", "folder of the run that a file was exported from; default: the folder above, if it is one")
    .addOption(
      new Option("--layers [N]", `compare the integers of all layers, of N images (${LAYER_IMAGES})`).preset(
        LAYER_IMAGES,
      )
        .argParser(wholeNumber),
    )
    .option("--mean <A,B,C>", "mean that a file with a float input wants subtracted; default: the data set's", numbers)
    .option("--std <A,B,C>", "deviation that it wants to be divided by; default: the data set's", numbers)
    .addOption(new Option("--runtime <NAME>", "form of ONNX Runtime; default: native, else wasm").choices(RUNTIMES))
    .addHelpText("after", "\nExit codes: 0 all are what they say, 1 one is not, 2 bad input");
  return await runLine<Flags>(line, args, {
    output: services,
    act: async (files, flags) => {
      let verified = true;
      for (const file of files) verified = await verifyOne(resolve(file), flags, services) && verified;
      return verified ? 0 : 1;
    },
  });
}

async function verifyOne(path: string, flags: Flags, services: ExportServices): Promise<boolean> {
  const bytes = readBytesIfThere(path);
  if (bytes === null) throw new InputError(`Cannot verify "${path}" as there is no such file: give a file of ONNX`);
  const file = parseOnnx(bytes, path), cardSha256 = digestOfCard(join(dirname(path), FILES.card));
  if (cardSha256 !== null && cardSha256 !== file.sha256) {
    throw new InputError(
      `Cannot verify "${path}" as its SHA-256 is ${file.sha256} and its card states ${cardSha256}: export the run again, or ` +
        "move the file away from the card",
    );
  }
  const say = (text: string) => services.stderr(`${text}\n`);
  const { spec, top1Percent } = statedBy(file), name = flags.dataset ?? spec?.dataset.name;
  if (name === undefined) {
    throw new InputError(`Cannot verify "${path}" as it names no data set: give its name with --dataset`);
  }
  const dataset = await (services.loadDataset ?? loadDataset)(name, say);
  requireData(file, { path, dataset });
  const own = name === spec?.dataset.name, count = (own ? spec.dataset.testExamples : null) ?? dataset.test.count;
  const bar = progressBar(count);
  let found: Verification;
  try {
    found = await verify(file, {
      dataset,
      count,
      ownClasses: own ? classesBeside(path, count) : null,
      recordedTop1: own ? top1Percent : null,
      progress: (images) => bar?.update(images),
      ...(flags.runtime && { runtime: flags.runtime }),
      ...(flags.mean || flags.std
        ? { normalisation: { mean: flags.mean ?? dataset.mean, std: flags.std ?? dataset.std } }
        : {}),
    });
  } finally {
    bar?.stop();
  }
  services.stdout(summary({ path, file, cardSha256, dataset: name, recorded: own ? top1Percent : null }, found));
  const comparison = await comparisonOf(path, { file, found, flags, dataset, services });
  if (comparison) services.stdout(comparisonText(comparison));
  const problems = [...found.problems, ...(comparison?.problems ?? [])];
  services.stdout(
    problems.length === 0 ? "Verified\n" : problems.map((problem) => `Not verified: ${problem}\n`).join(""),
  );
  return problems.length === 0;
}

/** Compares layers where that is asked for, or where classes differ and the run is at hand. */
async function comparisonOf(
  path: string,
  { file, found, flags, dataset, services }: {
    file: OnnxFile;
    found: Verification;
    flags: Flags;
    dataset: Dataset;
    services: ExportServices;
  },
): Promise<RunComparison | null> {
  const above = dirname(dirname(path)), isRun = fileExists(join(above, "record.json"));
  const folder = flags.run ? resolve(flags.run) : isRun ? above : null;
  const asked = flags.layers !== undefined, different = found.different?.map(({ image }) => image) ?? [];
  if (!asked && (folder === null || different.length === 0)) return null;
  if (folder === null) {
    throw new InputError(
      `Cannot compare the layers of "${path}" as its run is not known: give the run's folder with --run`,
    );
  }
  const record = finishedRun(folder);
  if (record.id !== file.metadata["run"]) {
    throw new InputError(
      `Cannot compare the layers of "${path}" as it was exported from run ${file.metadata["run"] ?? "unknown"} and ` +
        `${folder} is run ${record.id}: give that run's folder with --run`,
    );
  }
  if (record.spec.quantization === null) return null;
  const images = asked ? Array.from({ length: Math.min(flags.layers!, found.images) }, (_, i) => i) : [];
  return await compareRun(file, {
    record,
    checkpoint: checkpointFile(dirname(dirname(folder)), record.id),
    engine: await (services.openEngine ?? openEngine)("auto"),
    dataset,
    images: [...new Set([...images, ...different])],
    ...(flags.runtime && { runtime: flags.runtime }),
  });
}

/** The SHA-256 that a card states; null: there is no card. */
function digestOfCard(path: string): string | null {
  const yaml = /^---\n([^]*?)\n---\n/.exec(readTextIfThere(path) ?? "")?.[1];
  return yaml === undefined ? null : parseYaml(yaml)?.[CARD_KEY]?.onnx_sha256 ?? null;
}

/** What the file says of itself, if `deno task export` wrote it. */
function statedBy({ metadata }: OnnxFile): { spec: RunSpec | null; top1Percent: number | null } {
  const { spec, top1Percent } = metadata;
  return { spec: spec ? JSON.parse(spec) : null, top1Percent: top1Percent === undefined ? null : Number(top1Percent) };
}

function requireData({ metadata }: OnnxFile, { path, dataset }: { path: string; dataset: Dataset }): void {
  const stated = metadata["dataSha256"], named = metadata["spec"] ? JSON.parse(metadata["spec"]).dataset.name : null;
  if (named !== dataset.name || stated === dataset.sha256) return;
  throw new InputError(
    `Cannot verify "${path}" as its data set ${dataset.name} had SHA-256 ${stated}, but here it has ${dataset.sha256}: ` +
      "restore the data set that it was trained on",
  );
}

/** The classes of our own evaluation, in the safetensors file beside a network. */
function classesBeside(path: string, count: number): Uint16Array | null {
  const bytes = readBytesIfThere(join(dirname(path), FILES.safetensors));
  const stored = bytes && readSafetensor(bytes, OWN_CLASSES);
  return stored?.values instanceof Uint16Array && stored.values.length === count ? stored.values : null;
}

function progressBar(total: number): cliProgress.SingleBar | null {
  if (!process.stderr.isTTY) return null;
  const bar = new cliProgress.SingleBar(
    { format: "{bar} {value} of {total} images", barsize: 24, clearOnComplete: true, stream: process.stderr },
    cliProgress.Presets.shades_classic,
  );
  bar.start(total, 0);
  return bar;
}

function summary(
  { path, file, cardSha256, dataset, recorded }: {
    path: string;
    file: OnnxFile;
    cardSha256: string | null;
    dataset: string;
    recorded: number | null;
  },
  found: Verification,
): string {
  const { layers, different } = found,
    total = (of: (layer: Verification["layers"][number]) => number) =>
      layers.reduce((sum, layer) => sum + of(layer), 0);
  const integer = layers.filter(({ weight, input }) => weight && input);
  const operations = integer.reduce((sum, { multiplications }) => sum + multiplications, 0);
  const record = recorded === null ? "no record" : `record: ${recorded.toFixed(2)} %`;
  const others = different === null
    ? "our own classes are not at hand"
    : `${different.length} of ${found.images} images get another class than by our own evaluation`;
  return [
    path,
    `  ${file.bytes.length} bytes, opset ${file.opset}, SHA-256 ${file.sha256}${
      cardSha256 === null ? ", no card beside it" : " as its card states"
    }`,
    `  ${dataset}: ${found.top1Percent.toFixed(2)} % of ${found.images} test images (${record}), loss ${
      found.loss.toFixed(4)
    }, ${found.runtime}, ${(1000 * found.seconds / found.images).toFixed(2)} ms an image`,
    `  ${others}`,
    `  ${integer.length} of ${layers.length} layers compute with integers: ${(operations / 1e6).toFixed(2)} of ${
      (total(({ multiplications }) => multiplications) / 1e6).toFixed(2)
    } million multiplications an image; ${total(({ weight }) => weight?.bytes ?? 0)} bytes of integer weights`,
    "",
    "  | Layer | Weight | Levels used | Input | Multiplications |",
    "  | --- | --- | --: | --- | --: |",
    ...layers.map(({ name, weight, input, multiplications }) =>
      `  | ${name} | ${operandText(weight).replace("bits", "bits used")} | ${weight?.levels ?? ""} | ${
        operandText(input)
      } | ${multiplications} |`
    ),
    "",
    ...(different ?? []).map(({ image, theirs, ours, margin }) =>
      `  Image ${image}: class ${theirs}, by our own evaluation ${ours}; best logit ${margin.toFixed(4)} above the next`
    ),
    "",
  ].join("\n");
}

function operandText(operand: Verification["layers"][number]["input"]): string {
  if (!operand) return "float";
  const { bits, symmetric, granularity } = operand;
  return `${bits} bits, ${symmetric ? "symmetric" : "asymmetric"}, one scale per ${granularity}`;
}

function comparisonText({ engine, images, layers, firstOf }: RunComparison): string {
  return [
    `  Integers of each layer's input, ONNX Runtime against ${engine}, ${images} images:`,
    "",
    "  | Layer | Integers | Differ first here | Of them ties | Differ after an earlier layer | Farthest from an edge |",
    "  | --- | --: | --: | --: | --: | --: |",
    ...layers.map(({ path, integers, first, ties, later, farthest }) =>
      `  | ${path} | ${integers} | ${first} | ${ties} | ${later} | ${farthest.toExponential(1)} |`
    ),
    "",
    ...firstOf.map(({ image, path }) => `  Image ${image} differs first at the input of ${path}`),
    "",
  ].join("\n");
}

function wholeNumber(text: string | number): number {
  if (typeof text === "number") return text; // the preset
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new InputError(
    `Cannot use --layers "${text}" as it must be a whole number above 0: leave it out for ${LAYER_IMAGES}, or put the option behind the files`,
  );
}

function numbers(text: string): number[] {
  const values = text.split(",").map(Number);
  if (text !== "" && values.every(Number.isFinite)) return values;
  throw new InputError(
    `Cannot use "${text}" as it must be numbers between commas: give one a channel, such as 0.5,0.5,0.5`,
  );
}
