/** `deno task export`: the network of a finished run as files that need nothing of this suite. */
import { Command, Option } from "commander";
import { basename, dirname, join, resolve } from "node:path";
import { PAPERS } from "../../benchmarks/mod.ts";
import type { Dataset } from "../data/types.ts";
import { ENGINE_CHOICES, type EngineChoice, openEngine } from "../engine/mod.ts";
import type { Engine } from "../engine/types.ts";
import { InputError } from "../errors.ts";
import type { Origin } from "../export/card.ts";
import { exportRun } from "../export/export_run.ts";
import { quantizerNamed } from "../quant/mod.ts";
import type { RunRecord } from "../record/record.ts";
import type { RunSpec } from "../record/spec.ts";
import { datasetTitle, modelTitle } from "../report/labels.ts";
import { makeFolder, writeFileAtomic } from "../store/files.ts";
import { checkpointFile, hasCheckpoint, isRunId, readRecord } from "../store/store.ts";
import { type Output, runLine } from "./line.ts";
import { loadDataset } from "./services.ts";

/** Services of the commands; left out: this machine's. */
export interface ExportServices extends Output {
  readonly openEngine?: (choice: EngineChoice) => Promise<Engine>;
  readonly loadDataset?: (name: string, log: (line: string) => void) => Promise<Dataset>;
}

interface Flags {
  readonly to?: string;
  readonly packed?: true;
  readonly integer?: true;
  readonly engine: EngineChoice;
}

/** Exports runs. @returns The exit code: 0 all is written, 2 bad input. */
export async function main(args: readonly string[], services: ExportServices): Promise<number> {
  const line = new Command("deno task export")
    .description("Writes the network of a finished run as ONNX, as safetensors and as a model card")
    .argument("<run>", "folder of a finished run: DIR/runs/ID of `deno task bench --out DIR`")
    .option("--to <DIR>", "folder of the files; default: the folder export of the run")
    .option("--packed", "store weights of up to 4 bits in 4 bits (INT4)")
    .option("--integer", "write QLinearConv with int32 biases too, as network.integer.onnx")
    .addOption(new Option("--engine <NAME>", "what evaluates").choices(ENGINE_CHOICES).default("auto"))
    .addHelpText("after", "\nExit codes: 0 all is written, 2 bad input");
  return await runLine<Flags>(line, args, {
    output: services,
    act: async ([run], flags) => {
      await exportOne(resolve(run!), flags, services);
      return 0;
    },
  });
}

async function exportOne(run: string, flags: Flags, services: ExportServices): Promise<void> {
  const record = finishedRun(run), { spec } = record, to = resolve(flags.to ?? join(run, "export"));
  const say = (line: string) => services.stderr(`${line}\n`);
  const engine = await (services.openEngine ?? openEngine)(flags.engine);
  const dataset = await (services.loadDataset ?? loadDataset)(spec.dataset.name, say);
  const files = await exportRun({
    record,
    checkpoint: checkpointFile(dirname(dirname(run)), record.id),
    engine,
    dataset,
    origin: originOf(spec),
    packed: flags.packed ?? false,
    integer: flags.integer ?? false,
  });
  makeFolder(to);
  for (const [name, bytes] of files) {
    writeFileAtomic(join(to, name), bytes);
    services.stdout(`Wrote ${join(to, name)}, ${bytes.length} bytes\n`);
  }
}

/**
 * The record of a run's folder, of a network that can be opened.
 * @throws {InputError} If there is none, it is not done or a trial, or its checkpoint is missing.
 */
export function finishedRun(folder: string): RunRecord {
  const id = basename(folder), out = dirname(dirname(folder));
  const refuse = (why: string) => new InputError(`Cannot export ${folder} as ${why}`);
  if (!isRunId(id) || basename(dirname(folder)) !== "runs") {
    throw refuse("it is no folder of a run: give DIR/runs/ID, as `deno task runs list DIR` shows them");
  }
  const record = readRecord(out, id);
  if (record === null) throw refuse("it holds no finished run: run the same `deno task bench` to its end first");
  if (record.status !== "done") {
    throw refuse(`it ended as ${record.status}: ${record.reason ?? "no reason known"}; choose another run`);
  }
  if (record.spec.dataset.evaluateOn === "heldOut") {
    throw refuse("it is a trial on held-out images and has no accuracy on test images: choose another run");
  }
  if (!hasCheckpoint(out, id)) {
    throw refuse(`its checkpoint is missing: restore ${checkpointFile(out, id)}, or train that run again`);
  }
  return record;
}

/** Where the method of a run comes from: the papers that have its arm, but those of an arm that all have. */
function originOf({ arm, model, dataset, quantization }: RunSpec): Origin {
  const having = PAPERS.map(({ page }) => page).filter(({ arms }) => arms.some(({ id }) => id === arm));
  const own = having.length < PAPERS.length ? having : [];
  const unlike = own.find(({ arms }) => arms.some(({ id, label }) => id === arm && label !== null));
  return {
    sources: [
      ...own.map(({ citation, arxiv }) => `${citation}, ${arxiv}`),
      ...(quantization ? [`quantizer: ${quantizerNamed(quantization.quantizer).source}`] : []),
    ],
    caveat: unlike?.caveat ?? null,
    titles: { model: modelTitle(model), dataset: datasetTitle(dataset.name) },
  };
}
