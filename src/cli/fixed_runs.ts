import { resolve } from "node:path";
import type { EngineChoice, EngineName } from "../engine/types.ts";
import { orderRuns, statePlan } from "../plan/plan.ts";
import { NO_LIMITS } from "../pool/limits.ts";
import type { RunRecord } from "../record/record.ts";
import type { RunSpec } from "../record/spec.ts";
import { checkOut } from "../store/store.ts";
import { commandLine, engineOption, helpAlone, type Jobs, jobsOption, option, runCommand } from "./command_line.ts";
import { withPlaces } from "./places.ts";
import type { Console } from "./console.ts";
import { learnEstimates, measuredRuns, runGrid } from "./grid.ts";

/** A list of runs that is no table of a paper. */
interface FixedRuns {
  /** Task in `deno.json`. */
  readonly task: string;
  readonly about: string;
  /** Meaning of exit code 0. */
  readonly good: string;
  readonly specs: (engine: EngineName) => readonly RunSpec[];
  /** Gives what is printed of the records, and whether it is as wanted. */
  readonly result: (records: readonly RunRecord[], engine: EngineName) => { text: string; good: boolean };
}

interface FixedOptions {
  readonly out: string;
  readonly engine: EngineChoice;
  readonly jobs: Jobs;
}

/** Runs what is not done yet. @returns The exit code: 0 good or help, 1 not, 2 bad input. */
export async function fixedRuns(
  args: readonly string[],
  { console, runs }: { console: Console; runs: FixedRuns },
): Promise<number> {
  const line = commandLine(runs.task, runs.about, [
    `${
      runs.specs("wasm").length
    } trainings of ResNet-20 on CIFAR-10, about an hour and a half of one core with engine tensorflow`,
    "Ctrl-C is safe: the same command continues",
    `Exit codes: 0 ${runs.good}, 1 not all, 2 bad input`,
  ]).addOption(option("--out <DIR>", "folder of the runs; what is done there is kept").demanded())
    .addOption(engineOption())
    .addOption(jobsOption());
  if (helpAlone(line, args, console)) return 0;
  return await runCommand<FixedOptions>(line, args, {
    output: console,
    act: (options) => run(options, { console, runs }),
  });
}

async function run(
  options: FixedOptions,
  { console, runs: { specs, result } }: { console: Console; runs: FixedRuns },
): Promise<0 | 1> {
  const services = { ...(await import("./services.ts")).benchServices(), ...console };
  const engine = await services.resolveEngine(options.engine), out = resolve(options.out);
  const command = await services.command({ out, engine }); // before anything is written
  checkOut(out);
  const plan = statePlan(orderRuns(specs(engine)).map(({ spec }) => spec), out);
  const measured = await measuredRuns(out, services);
  const estimate = await learnEstimates(plan, { measured, engine, sizesOf: services.datasetSizes, services });
  const pool = { out, command, limits: NO_LIMITS, retries: 0, failFast: false, estimate, services };
  const gpus = engine === "tensorflow" ? await services.gpus?.() ?? [] : [];
  const { records } = await withPlaces(
    { gpus, jobs: options.jobs, most: services.cores, say: (line) => console.stderr(`${line}\n`) },
    (places) => runGrid(plan, { ...pool, jobs: places }),
  );
  const { text, good } = result([...plan.finished.values(), ...records], engine);
  console.stdout(`${text}\n`);
  return good ? 0 : 1;
}
