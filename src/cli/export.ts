import { basename, dirname, join, resolve } from "node:path";
import { PAPERS } from "../../benchmarks/mod.ts";
import { bitsTitle } from "../catalog/bits.ts";
import { datasetTitle, modelTitle } from "../catalog/titles.ts";
import type { EngineChoice } from "../engine/types.ts";
import { InputError } from "../errors.ts";
import type { Origin } from "../export/card.ts";
import { exportRun } from "../export/export_run.ts";
import { quantizerNamed } from "../quant/mod.ts";
import type { RunRecord } from "../record/record.ts";
import { isRunId, type RunSpec } from "../record/spec.ts";
import { folderExists, makeFolder, writeFileAtomic } from "../store/files.ts";
import { checkpointFile, hasCheckpoint, readRecord, runFile } from "../store/store.ts";
import { commandLine, engineOption, helpAlone, option, runCommand } from "./command_line.ts";
import { datasetOf, engineOf, type NetworkServices } from "./network_services.ts";

interface ExportOptions {
  readonly to?: string;
  readonly packed?: true;
  readonly integer?: true;
  readonly engine: EngineChoice;
}

/**
 * `deno task export`: writes the network of a finished run as files that need nothing of this suite.
 * @returns The exit code: 0 all is written, 2 bad input.
 */
export async function exportNetwork(args: readonly string[], services: NetworkServices): Promise<number> {
  const line = commandLine("export", "Writes the network of a finished run as ONNX, safetensors and a model card", [
    "`deno task verify` evaluates the files in ONNX Runtime",
    "Exit codes: 0 all is written, 2 bad input",
  ]).argument("<run>", "folder of a finished run: DIR/runs/ID of `deno task bench --out DIR`")
    .addOption(option("--to <DIR>", "folder of the files").default(undefined, "the folder export of the run"))
    .addOption(option("--packed", "store weights of up to 4 bits in 4 bits (INT4)"))
    .addOption(option("--integer", "write products of integers too, as network.integer.onnx"))
    .addOption(engineOption());
  if (helpAlone(line, args, services)) return 0;
  return await runCommand<ExportOptions>(line, args, {
    output: services,
    act: (options) => exportOne(resolve(line.args[0]!), options, services),
  });
}

async function exportOne(run: string, options: ExportOptions, services: NetworkServices): Promise<void> {
  const record = finishedRun(run), { spec } = record, out = dirname(dirname(run));
  const to = options.to === undefined ? runFile(out, record.id, "export") : resolve(options.to);
  const engine = await engineOf(services, { choice: options.engine, own: spec.engine });
  const dataset = await datasetOf(services, spec.dataset.name);
  const files = await exportRun({
    record,
    checkpoint: checkpointFile(out, record.id),
    engine,
    dataset,
    origin: originOf(spec),
    packed: options.packed ?? false,
    integer: options.integer ?? false,
  });
  makeFolder(to);
  for (const [name, bytes] of files) {
    writeFileAtomic(join(to, name), [bytes]);
    services.stdout(`Wrote ${join(to, name)}, ${bytes.length} bytes\n`);
  }
}

/**
 * The record of a run's folder, of a network that can be opened.
 * @throws {InputError} If there is no such folder or record, it is not done or a trial, or its checkpoint is missing.
 */
export function finishedRun(folder: string, purpose = "export"): RunRecord {
  const id = basename(folder), out = dirname(dirname(folder));
  const refuse = (why: string) => new InputError(`Cannot ${purpose} ${folder} as ${why}`);
  if (!folderExists(folder)) {
    throw refuse("there is no such folder: give DIR/runs/ID, where relative paths start at the repository's root");
  }
  if (!isRunId(id) || basename(dirname(folder)) !== "runs") {
    throw refuse("it is no folder of a run: give DIR/runs/ID, as `deno task runs list --out DIR` shows them");
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

/** Titles and sources of a run: the papers that have its arm, unless all have it. */
function originOf({ arm, model, dataset, quantization, seed }: RunSpec): Origin {
  const armIn = ({ tables }: typeof PAPERS[number]) => tables.flatMap(({ arms }) => arms).find(({ id }) => id === arm);
  const having = PAPERS.filter((paper) => armIn(paper) !== undefined),
    own = having.length < PAPERS.length ? having : [];
  const unlike = own.find((paper) => armIn(paper)!.label !== null), known = having[0] && armIn(having[0]);
  const method = [known?.title ?? arm, ...(unlike ? [`(${armIn(unlike)!.label})`] : [])].join(" ");
  const parts = [
    modelTitle(model),
    datasetTitle(dataset.name),
    ...(quantization ? [bitsTitle(quantization)] : []),
    method,
  ];
  return {
    title: `${parts.join(", ")}, seed ${seed}`,
    method,
    dataset: datasetTitle(dataset.name),
    sources: [
      ...own.map(({ citation, arxiv }) => `${citation}, ${arxiv}`),
      ...(quantization ? [`quantizer: ${quantizerNamed(quantization.quantizer).source}`] : []),
    ],
    caveat: unlike?.caveat ?? null,
  };
}
