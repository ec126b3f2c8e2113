import type { Dataset } from "../data/types.ts";
import type { Engine, EngineChoice } from "../engine/types.ts";
import { InputError } from "../errors.ts";
import {
  type MeasurementDefinition,
  measurementNamed,
  measurementOptions,
  MEASUREMENTS,
  measureRun,
  subjectOf,
} from "../measure/mod.ts";
import { headline } from "../report/judge/measurements.ts";
import { counted } from "../report/labels.ts";
import { captureEnvironment } from "../pool/environment.ts";
import { isOfNetwork, type Measurement, type MeasurementOptions } from "../record/measurement.ts";
import {
  checkpointFile,
  hasCheckpoint,
  keptCheckpoints,
  readMeasurement,
  readRecord,
  runIds,
  writeMeasurement,
} from "../store/store.ts";
import { existingFolder, findRun, runsOf } from "../store/folder.ts";
import type { RunRecord } from "../record/record.ts";
import { canonicalJson, describeRun } from "../record/spec.ts";
import { columns } from "./columns.ts";
import { commandLine, engineOption, helpAlone, listOf, option, runCommand } from "./command_line.ts";
import { datasetOf, engineOf, type NetworkServices } from "./network_services.ts";

/** Options of `deno task measure`; null: not given. */
export interface MeasureOptions {
  readonly out: string;
  /** Null: all. */
  readonly names: readonly string[] | null;
  /** Ids; null: all finished runs. */
  readonly runs: readonly string[] | null;
  /** Arms; null: all. */
  readonly methods: readonly string[] | null;
  /** Options in place of their defaults, by name. */
  readonly set: Readonly<Record<string, unknown>>;
  readonly epochs?: true;
  readonly force?: true;
  readonly engine: EngineChoice;
}

/** A measurement that is asked for, with its options. */
interface Wanted {
  readonly definition: MeasurementDefinition;
  readonly options: MeasurementOptions;
}

/** One measurement of one run. */
interface Task extends Wanted {
  readonly run: RunRecord;
  readonly epochs: readonly { readonly epoch: number; readonly path: string }[];
  /** Null: to be measured. */
  readonly there: Measurement | null;
}

/** `deno task measure`: measures networks of finished runs. @returns The exit code: 0 all is measured, 2 bad input. */
export async function measure(args: readonly string[], services: NetworkServices): Promise<number> {
  const names = MEASUREMENTS.map(({ name }) => name).join(", ");
  const line = commandLine("measure", "Measures the networks of finished runs: one file each, which changes no run", [
    "What is there with the same options is kept, so a call that was stopped continues from there",
    "`deno task report --collect DIR` adds what was measured to the committed records",
    "Exit codes: 0 all is measured, 2 bad input",
  ]).addOption(option("--out <DIR>", "folder of a finished `deno task bench`").demanded())
    .addOption(option("--names <A,B>", `measurements, among ${names}`, listOf("names")).default(null, "all"))
    .addOption(option("--runs <ID,ID>", "runs to measure", listOf("runs")).default(null, "all that are done"))
    .addOption(option("--methods <A,B>", "arms to measure", listOf("methods")).default(null, "all"))
    .addOption(
      option("--set <KEY=VALUE;..>", "options of measurements, as probes=64;images=2048", parseSettings).default({}),
    )
    .addOption(option("--epochs", "measure the checkpoints of `bench --keep-epochs` too"))
    .addOption(option("--force", "measure again what is there"))
    .addOption(engineOption());
  if (helpAlone(line, args, services)) return 0;
  return await runCommand<MeasureOptions>(line, args, {
    output: services,
    act: (options) => measureWith(options, services),
  });
}

/** Reads `probes=64;sigmas=0.1,0.2;moved=latent` as { probes: 64, sigmas: [0.1, 0.2], moved: "latent" }. */
function parseSettings(text: string): Record<string, unknown> {
  const settings: Record<string, unknown> = {};
  for (const item of text.split(";").filter((part) => part.trim() !== "")) {
    const [, name, value] = /^\s*(\w+)\s*=\s*(\S+)\s*$/.exec(item) ?? [];
    if (!name || !value) {
      throw new InputError(`Cannot use --set "${item}" as it must be KEY=VALUE: write it such as probes=64`);
    }
    if (name in settings) throw new InputError(`Cannot use --set "${text}" as it gives ${name} twice: leave one out`);
    settings[name] = parseValue(value);
  }
  return settings;
}

/** Reads a number; a list where there are commas; else text. */
function parseValue(text: string): unknown {
  const values = text.split(",").map((part) => part !== "" && Number.isFinite(Number(part)) ? Number(part) : part);
  return values.length === 1 ? values[0] : values;
}

async function measureWith(flags: MeasureOptions, services: NetworkServices): Promise<void> {
  const out = existingFolder(flags.out), wanted = wantedMeasurements(flags);
  const say = (line: string): void => services.stderr(line + "\n");
  const runs = chosenRuns(out, { ...flags, say });
  const tasks = runs.flatMap((run) => wanted.map((item) => taskOf(run, { ...item, out, flags })));
  const todo = tasks.filter(({ there }) => there === null);
  const found = new Map<Task, Measurement>();
  if (todo.length > 0) {
    say(`${counted(todo.length, "measurement")} to do, ${tasks.length - todo.length} done before, in ${out}`);
    const engine = await engineOf(services, { choice: flags.engine, own: "auto" });
    say(`Engine: ${engine.description}`);
    const environment = captureEnvironment(engine);
    const datasets = new Map<string, Dataset>();
    for (const task of todo) {
      const { name } = task.run.spec.dataset;
      const dataset = datasets.get(name) ?? await datasetOf(services, name);
      datasets.set(name, dataset);
      const measurement = await measured(task, { out, engine, dataset, environment });
      writeMeasurement(out, measurement);
      found.set(task, measurement);
      const took = Math.round(measurement.seconds), { title, text } = headline(measurement);
      say(`${describeRun(task.run.spec)} ${measurement.name}: ${title} ${text}, ${took} s`);
    }
  }
  services.stdout(table(tasks.map((task) => task.there ?? found.get(task)!)));
}

/** @throws {InputError} If a name is not known, or an option is of none of the measurements or does not fit. */
function wantedMeasurements({ names, set }: MeasureOptions): Wanted[] {
  const definitions = names?.map(measurementNamed) ?? MEASUREMENTS;
  const used = new Set<string>();
  const wanted = definitions.map((definition) => {
    const defaults = measurementOptions(definition, {});
    const own = Object.entries(set).filter(([key]) => key in defaults);
    for (const [key] of own) used.add(key);
    // a list of one is written as its value
    const given = own.map(([key, value]) => [key, Array.isArray(defaults[key]) ? [value].flat() : value] as const);
    return { definition, options: measurementOptions(definition, Object.fromEntries(given)) };
  });
  const unknown = Object.keys(set).find((key) => !used.has(key));
  if (unknown !== undefined) {
    const known = [...new Set(wanted.flatMap(({ options }) => Object.keys(options)))];
    throw new InputError(
      `Cannot set "${unknown}" as it is an option of none of ${definitions.map(({ name }) => name).join(", ")}: ` +
        (known.length > 0 ? `choose among ${known.join(", ")}` : "leave --set out, as they have no options"),
    );
  }
  return wanted;
}

/** @throws {InputError} If the run must be measured and has no checkpoint, or `--epochs` is asked for and none was kept. */
function taskOf(
  run: RunRecord,
  { definition, options, out, flags }: Wanted & { out: string; flags: MeasureOptions },
): Task {
  const kept = flags.epochs ? keptCheckpoints(out, run.id) : [];
  const before = flags.force ? null : readMeasurement(out, run.id, definition.name);
  // what is measured already needs no checkpoint: `runs clean --checkpoints` may have deleted it
  if (before !== null && isMeasured(before, run, { options, epochs: flags.epochs ? kept : null })) {
    return { definition, options, run, epochs: kept, there: before };
  }
  if (!hasCheckpoint(out, run.id)) {
    throw new InputError(
      `Cannot measure run ${run.id} (${describeRun(run.spec)}) as its checkpoint is missing: restore ` +
        `${checkpointFile(out, run.id)}, or choose other runs with --runs`,
    );
  }
  if (flags.epochs && kept.length === 0) {
    throw new InputError(
      `Cannot measure the epochs of run ${run.id} (${
        describeRun(run.spec)
      }) as none was kept: choose other runs with ` +
        "--runs, or run it in a new --out folder with `deno task bench --keep-epochs`",
    );
  }
  return { definition, options, run, epochs: kept, there: null };
}

/**
 * Checks if a measurement is of this training of a run and has all that is asked for.
 *
 * `epochs` null: no epochs are asked for.
 */
function isMeasured(
  before: Measurement,
  run: RunRecord,
  { options, epochs }: { options: MeasurementOptions; epochs: Task["epochs"] | null },
): boolean {
  const all = epochs === null ||
    (before.epochs.length > 0 && epochs.every(({ epoch }) => before.epochs.some((item) => item.epoch === epoch)));
  return all && isOfNetwork(before, run) && canonicalJson(before.options) === canonicalJson(options);
}

async function measured(
  { definition, options, run, epochs }: Task,
  { out, engine, dataset, environment }: {
    out: string;
    engine: Engine;
    dataset: Dataset;
    environment: Measurement["environment"];
  },
): Promise<Measurement> {
  const began = performance.now(), { id, spec } = run, subject = subjectOf(spec, { engine, dataset });
  const checkpoints = { last: checkpointFile(out, id), epochs };
  const found = await measureRun(definition, { record: run, subject, options, checkpoints });
  const seconds = (performance.now() - began) / 1000;
  return {
    schema: 1,
    name: definition.name,
    options,
    run: id,
    spec,
    ...found,
    environment,
    dataSha256: dataset.sha256,
    seconds,
  };
}

/** A table for each number that is shown, under its title. */
function table(measurements: readonly Measurement[]): string {
  const byTitle = Map.groupBy(measurements, (measurement) => `${measurement.name}: ${headline(measurement).title}`);
  return [...byTitle].map(([title, own]) => {
    const rows = own.map((measurement) => [
      measurement.run,
      describeRun(measurement.spec),
      headline(measurement).text,
      measurement.seconds.toFixed(0),
    ]);
    return [title, ...columns([["run", "arm", "value", "seconds"], ...rows], new Set([3])), ""].join("\n");
  }).join("\n");
}

/** Runs that are asked for, and a listener for those that are left out. */
type Choice = Pick<MeasureOptions, "runs" | "methods"> & { readonly say: (line: string) => void };

/**
 * The finished runs that are asked for, by arm, bits and seed. Trials on held-out images are left out: measurements look at
 * test images, which nothing may be chosen by.
 * @throws {InputError} If one that is named is not there, not done or a trial, or if there is none.
 */
function chosenRuns(out: string, { runs: digits, methods, say }: Choice): RunRecord[] {
  const ids = runIds(out), runs = digits?.map((text) => findRun(text, runsOf(out))) ?? null;
  const records = new Map(ids.map((id) => [id, runs === null || runs.includes(id) ? readRecord(out, id) : null]));
  for (const id of runs ?? []) requireDone(id, records.get(id) ?? null);
  const ended = [...records.values()].filter((record) => record?.status === "done") as RunRecord[];
  const done = ended.filter((record) => !isTrial(record)), trials = ended.length - done.length;
  if (done.length === 0) {
    const why = trials > 0 ? "each of its finished runs is a trial on held-out images" : "it holds no finished run";
    throw new InputError(
      `Cannot measure anything in ${out} as ${why}: name the --out folder of a finished \`deno task bench\``,
    );
  }
  if (trials > 0) say(`Left out ${trials} of ${ended.length} finished runs as they are trials on held-out images`);
  const arms = [...new Set(done.map(({ spec }) => spec.arm))].sort();
  const unknown = methods?.find((method) => !arms.includes(method));
  if (unknown !== undefined) {
    throw new InputError(
      `Cannot measure method "${unknown}" as no finished run is of it: choose among ${arms.join(", ")}`,
    );
  }
  return done.filter(({ spec }) => methods?.includes(spec.arm) ?? true).sort((a, b) =>
    orderOf(a) < orderOf(b) ? -1 : 1
  );
}

function isTrial({ spec }: RunRecord): boolean {
  return spec.dataset.evaluateOn === "heldOut";
}

function orderOf({ spec, id }: RunRecord): string {
  const bits = spec.quantization ? `${spec.quantization.weightBits}${spec.quantization.activationBits}` : "00";
  return [spec.arm, spec.model, bits, String(spec.seed).padStart(16, "0"), id].join(" ");
}

function requireDone(id: string, record: RunRecord | null): void {
  if (record?.status === "done" && !isTrial(record)) return;
  const why = record?.status === "done"
    ? "it is a trial on held-out images and measurements look at test images: choose other runs with --runs"
    : record === null
    ? "it is not finished: run the same `deno task bench` to its end first"
    : `it ended as ${record.status}: ${record.reason ?? "no reason known"}; choose other runs with --runs`;
  throw new InputError(`Cannot measure run ${id} as ${why}`);
}
