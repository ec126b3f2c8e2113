import { resolve } from "node:path";
import type { Dataset } from "../data/types.ts";
import type { Engine, EngineChoice } from "../engine/mod.ts";
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
import { captureEnvironment } from "../pool/environment.ts";
import { isOfNetwork, type Measurement, type MeasurementOptions } from "../record/measurement.ts";
import { keptCheckpoints, readMeasurement, writeMeasurement } from "../store/measurement_store.ts";
import { describeRun } from "../plan/plan.ts";
import type { RunRecord } from "../record/record.ts";
import { canonicalJson } from "../record/spec.ts";
import { checkpointFile, hasCheckpoint } from "../store/store.ts";
import { type MeasureFlags, measureHelp, parseMeasureFlags } from "./measure_options.ts";
import { chosenRuns } from "./measure_runs.ts";

/** What the command needs from outside. */
export interface MeasureServices {
  readonly openEngine: (choice: EngineChoice) => Promise<Engine>;
  readonly loadDataset: (name: string, log: (line: string) => void) => Promise<Dataset>;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
}

/** A measurement that is asked for, with its options. */
interface Wanted {
  readonly definition: MeasurementDefinition;
  readonly options: MeasurementOptions;
}

/** What is to do: one measurement of one run. */
interface Task extends Wanted {
  readonly run: RunRecord;
  readonly epochs: readonly { readonly epoch: number; readonly path: string }[];
  /** Null: to be measured. */
  readonly there: Measurement | null;
}

/**
 * `deno task measure`: measures the networks of finished runs, one by one.
 * @returns The exit code: 0 all is measured, 2 bad input.
 */
export async function measure(args: readonly string[], services: MeasureServices): Promise<number> {
  const names = MEASUREMENTS.map(({ name }) => name);
  try {
    const flags = parseMeasureFlags(args, names);
    if (flags === null) services.stdout(measureHelp(names));
    else await measureWith(flags, services);
    return 0;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    services.stderr(`${error.message}\n`);
    return 2;
  }
}

async function measureWith(flags: MeasureFlags, services: MeasureServices): Promise<void> {
  const out = resolve(flags.out);
  const wanted = wantedMeasurements(flags);
  const say = (line: string): void => services.stderr(line + "\n");
  const runs = chosenRuns(out, { ...flags, say });
  const tasks = runs.flatMap((run) => wanted.map((item) => taskOf(run, { ...item, out, flags })));
  const todo = tasks.filter(({ there }) => there === null);
  const found = new Map<Task, Measurement>();
  if (todo.length > 0) {
    say(`${todo.length} measurements to do, ${tasks.length - todo.length} done before, in ${out}`);
    const engine = await services.openEngine(flags.engine);
    say(`Engine: ${engine.description}`);
    const environment = captureEnvironment(engine);
    const datasets = new Map<string, Dataset>();
    for (const task of todo) {
      const { name } = task.run.spec.dataset;
      const dataset = datasets.get(name) ?? await services.loadDataset(name, say);
      datasets.set(name, dataset);
      const measurement = await measured(task, { out, engine, dataset, environment });
      writeMeasurement(out, measurement);
      found.set(task, measurement);
      say(
        `${describeRun(task.run.spec)} ${measurement.name}: ${headline(measurement)}, ${
          measurement.seconds.toFixed(0)
        } s`,
      );
    }
  }
  services.stdout(table(tasks.map((task) => task.there ?? found.get(task)!)));
}

/** @throws {InputError} If a name is not known, or an option is of none of the measurements or does not fit. */
function wantedMeasurements({ names, set }: MeasureFlags): Wanted[] {
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
  { definition, options, out, flags }: Wanted & { out: string; flags: MeasureFlags },
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

/** Whether a measurement is of this training of a run and has all that is asked for; `epochs` null: no epochs are. */
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

function table(measurements: readonly Measurement[]): string {
  const rows = measurements.map((measurement) => [
    measurement.run,
    describeRun(measurement.spec),
    measurement.name,
    headline(measurement),
    measurement.seconds.toFixed(0),
  ]);
  const lines = rows.map((row) => `| ${row.join(" | ")} |`);
  return ["| Run | Arm | Measurement | Value | Seconds |", "|---|---|---|---|--:|", ...lines].join("\n") + "\n";
}
