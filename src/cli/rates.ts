/** Rates of kinds of run: those of this machine in the cache, those of the project in `reports`, and new ones by a probe. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder } from "../data/cache.ts";
import { InputError, orNull } from "../errors.ts";
import { kindOf } from "../plan/estimate.ts";
import { processorOf } from "../record/environment.ts";
import type { SizesOf } from "../plan/fit.ts";
import { startChild } from "../pool/process.ts";
import { parseRates, type Probe, type Rate } from "../record/rate.ts";
import { describeRun, runId, type RunSpec } from "../record/spec.ts";
import { readTextIfThere, writeFileAtomic } from "../store/files.ts";

/** Steps that a probe times. */
const STEPS = 10;

/** Data set with images of CIFAR's size that is there without a download. */
const STAND_IN = "synthetic";

/** File of the rates that were probed on this machine. */
export function ownRatesFile(): string {
  return join(cacheFolder("rates"), "rates.jsonl");
}

/** Rates of the project, then those of this machine; of a file of another version none: estimates are not worth an error. */
export function readRates(): Rate[] {
  const committed = fileURLToPath(new URL("../../reports/rates.jsonl", import.meta.url));
  const files = [committed, ownRatesFile()];
  return files.flatMap((path) => orNull(() => parseRates(readTextIfThere(path) ?? "", path)) ?? []);
}

/** Adds a rate to the file of this machine. @throws {InputError} If it cannot be written. */
export function keepRate(rate: Rate): void {
  const path = ownRatesFile(), before = readTextIfThere(path) ?? "";
  writeFileAtomic(path, `${before}${JSON.stringify(rate)}\n`);
}

/**
 * The run whose steps stand for those of `spec`: with steps that change nothing, no teacher, and images that are there.
 * A method of unlabelled images gets enough of both.
 */
export function probedSpec(spec: RunSpec, sizesOf: SizesOf): RunSpec {
  const { dataset } = spec, shapeOf = (name: string) => String(sizesOf(name)?.imageShape);
  const name = shapeOf(dataset.name) === shapeOf(STAND_IN) ? STAND_IN : dataset.name;
  return {
    ...spec,
    dataset: {
      ...{ name, trainExamples: null, heldOut: 0, testExamples: null, evaluateOn: "test" },
      ...(dataset.labelledFraction === undefined ? {} : { labelledFraction: 0.5 }),
    },
    recipe: { ...spec.recipe, learningRate: 1e-9 },
    teacher: null,
  };
}

/**
 * Chooses the first run of each kind that has no rate on a processor. Options of a method that cost no pass make no kind.
 * @param passes Counts the forward passes that a step is worth.
 */
export function unprobed(
  specs: readonly RunSpec[],
  { rates, sizesOf, processor, passes }: {
    readonly rates: readonly Rate[];
    readonly sizesOf: SizesOf;
    readonly processor: string;
    readonly passes: (spec: RunSpec) => number;
  },
): RunSpec[] {
  function kind(spec: RunSpec): string {
    const method = { name: spec.method.name, options: { passes: passes(spec) } };
    return kindOf({ ...spec, method }, sizesOf(spec.dataset.name)?.imageShape ?? []);
  }
  const here = rates.filter(({ environment }) => processorOf(environment) === processor);
  const known = new Set(here.map(({ spec }) => kind(spec)));
  return [...Map.groupBy(specs, kind)].flatMap(([name, [first]]) => known.has(name) ? [] : [first!]);
}

/** Options of `probeKind`. */
export interface ProbeOptions {
  /** Folder of the process. */
  readonly out: string;
  /** Program and arguments of a run's process. */
  readonly command: readonly string[];
  readonly stop: AbortSignal;
}

/**
 * Times the steps of a run in a process like a run's.
 * @throws {InputError} If the process gives no time.
 */
export async function probeKind(spec: RunSpec, { out, command, stop }: ProbeOptions): Promise<Rate> {
  const startedAt = new Date().toISOString();
  let probe: Probe | null = null;
  const child = startChild({ id: runId(spec), spec }, {
    ...{ out, command: [...command, "--probe", String(STEPS)], lock: null },
    onMessage(message) {
      if (message.type === "probe") probe = message.probe;
    },
  });
  stop.addEventListener("abort", child.kill);
  const { lastLines } = await child.ended.finally(() => stop.removeEventListener("abort", child.kill));
  if (probe !== null) return { schema: 1, spec, startedAt, ...(probe as Probe) };
  throw new InputError(
    `Cannot probe ${describeRun(spec)} as its process gave no time: ${lastLines.at(-1) ?? "no log"}`,
  );
}
