import { basename, resolve } from "node:path";
import { networkSha256, oddTensorOf } from "../checkpoint/checkpoint.ts";
import { placeTeachers } from "../checkpoint/teachers.ts";
import { readTorchFile } from "../checkpoint/torch_file.ts";
import type { Dataset } from "../data/types.ts";
import type { Engine, EngineChoice } from "../engine/types.ts";
import { InputError } from "../errors.ts";
import type { NetworkData } from "../nn/initialise.ts";
import type { ModelDefinition } from "../nn/types.ts";
import { captureEnvironment } from "../pool/environment.ts";
import { RECORD_SCHEMA, type RunRecord } from "../record/record.ts";
import { importedSpec } from "../record/imported_spec.ts";
import { runId } from "../record/spec.ts";
import { checkOut } from "../store/store.ts";
import { joinLeaves } from "../tree.ts";
import { commandLine, engineOption, helpAlone, option, runCommand } from "./command_line.ts";
import type { Console } from "./console.ts";

/** Options of `deno task teacher`. */
interface TeacherOptions {
  readonly from: string;
  readonly model: string;
  readonly dataset: string;
  readonly newHead?: true;
  readonly out: string;
  readonly engine: EngineChoice;
}

/** Seed of a classifier that starts anew: an imported network is one start for every seed. */
const HEAD_SEED = 0;

/** `deno task teacher`: imports a full-precision network that was trained elsewhere. @returns The exit code: 0 done, 2 bad input. */
export async function teacher(args: readonly string[], console: Console): Promise<number> {
  const line = commandLine(
    "teacher",
    "Imports a full-precision network trained by PyTorch, as a start for quantized runs",
    [
      "Names and shapes must be those of torchvision or timm; see docs/reproducibility.md",
      "Then: deno task bench --paper PAPER --models MODEL --teachers DIR",
      "Exit codes: 0 imported, 2 bad input",
    ],
  ).addOption(option("--from <FILE.safetensors>", "file of the network").demanded())
    .addOption(option("--model <NAME>", "such as resnet18_imagenet").demanded())
    .addOption(option("--dataset <NAME>", "data set to evaluate it on and to train on").demanded())
    .addOption(option("--new-head", "start the classifier anew, for a data set with other classes"))
    .addOption(option("--out <DIR>", "folder to keep it in").demanded())
    .addOption(engineOption());
  if (helpAlone(line, args, console)) return 0;
  return await runCommand<TeacherOptions>(line, args, { output: console, act: (options) => take(options, console) });
}

async function take(options: TeacherOptions, { stdout, stderr }: Console): Promise<void> {
  const { modelNamed } = await import("../nn/mod.ts");
  const { networkFromTorch } = await import("../nn/torch_network.ts");
  const { openEngine } = await import("../engine/mod.ts");
  const { loadDataset } = await import("./services.ts");
  const definition = modelNamed(options.model), file = readTorchFile(options.from), out = resolve(options.out);
  const dataset = await loadDataset(options.dataset, (text) => stderr(`${text}\n`)), newHead = options.newHead ?? false;
  const sizes = { classes: dataset.classes, imageChannels: dataset.imageShape[2] };
  const network = networkFromTorch(definition, file.tensors, { ...sizes, newHead: newHead ? HEAD_SEED : null });
  const tensors = joinLeaves({ ...network }), odd = oddTensorOf(tensors);
  if (odd !== null) {
    throw new InputError(`Cannot import a network from ${options.from} as ${odd}: give one that is finite`);
  }
  checkOut(out);
  const engine = await openEngine(options.engine), began = performance.now(), startedAt = new Date().toISOString();
  const { top1Percent, loss } = await evaluated(network, { definition, dataset, engine });
  const imported = { sha256: file.sha256, newHead };
  const spec = importedSpec({ model: options.model, dataset: dataset.name, engine: engine.name, ...imported });
  const record: RunRecord = {
    ...{ schema: RECORD_SCHEMA, id: runId(spec), spec, status: "done", reason: null, curve: [], startedAt },
    metrics: { top1Percent, loss },
    wallSeconds: (performance.now() - began) / 1000,
    cpuSeconds: 0,
    imagesPerSecond: 0,
    peakMemoryMiB: 0,
    environment: captureEnvironment(engine),
    dataSha256: dataset.sha256,
    evaluatedExamples: dataset.test.count,
    networkSha256: networkSha256(tensors),
    importedFrom: {
      file: basename(options.from),
      names: definition.foreign!.source,
      converted: [...file.converted],
    },
  };
  const position = {
    runId: record.id,
    dataSha256: dataset.sha256,
    step: 0,
    steps: 0,
    sums: {},
    curve: [],
    trainSeconds: 0,
  };
  const placed = await placeTeachers(out, [{ record, checkpoint: { tensors, position } }]);
  if (file.converted.length > 0) stdout(`Converted ${file.converted.join(" and ")} to float32\n`);
  if (newHead) stdout("Its classifier starts anew, so its accuracy is that of guessing\n");
  stdout(
    `${placed.length > 0 ? "Imported" : "Already there:"} ${options.model} of ${basename(options.from)}, SHA-256 ` +
      `${file.sha256}, as run ${record.id} in ${options.out}: ${
        top1Percent.toFixed(2)
      } % of ${dataset.test.count} test images ` +
      `of ${dataset.name}, whose own mean and deviation scale the images\n`,
  );
}

async function evaluated(
  network: NetworkData,
  { definition, dataset, engine }: { definition: ModelDefinition; dataset: Dataset; engine: Engine },
) {
  const { Evaluator } = await import("../train/evaluation.ts");
  const { toTensors } = await import("../train/tensors.ts");
  const model = definition.build({ classes: dataset.classes, imageChannels: dataset.imageShape[2] });
  const evaluator = new Evaluator(engine, model, { quantization: null, scale: dataset });
  const tensors = { params: toTensors(network.params), state: toTensors(network.state) };
  const indices = Uint32Array.from({ length: dataset.test.count }, (_, i) => i);
  const result = evaluator.evaluate(tensors, dataset.test, { indices, imageShape: dataset.imageShape });
  evaluator.dispose();
  return result;
}
