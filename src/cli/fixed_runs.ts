import { resolve } from "node:path";
import type { EngineChoice, EngineName } from "../engine/types.ts";
import { hoursOf, hoursText } from "../plan/cost.ts";
import { type PlanState, statePlan } from "../plan/plan.ts";
import { NO_LIMITS } from "../pool/limits.ts";
import type { RunRecord } from "../record/record.ts";
import type { RunSpec } from "../record/spec.ts";
import { checkOut } from "../store/store.ts";
import { commandLine, engineOption, helpAlone, type Jobs, jobsOption, option, runCommand } from "./command_line.ts";
import { withPlaces } from "./places.ts";
import type { Console } from "./console.ts";
import { type Estimator, learnEstimates, measuredRuns, requireSpace, runGrid } from "./grid.ts";
import type { benchServices } from "./services.ts";

/** A list of runs that is no table of a paper. */
interface FixedRuns {
  /** Task in `deno.json`. */
  readonly task: string;
  readonly about: string;
  /** Meaning of exit code 0. */
  readonly good: string;
  /** The runs that are known by the records of those that are over; called again until nothing is added. */
  readonly specs: (engine: EngineName, records: readonly RunRecord[]) => readonly RunSpec[];
  /** One spec for each run that only later records will name, of the same cost; left out: none. */
  readonly later?: FixedRuns["specs"];
  /** Gives what is printed of the records, and whether it is as wanted. */
  readonly result: (records: readonly RunRecord[], engine: EngineName) => { text: string; good: boolean };
}

interface FixedOptions {
  readonly out: string;
  readonly engine: EngineChoice;
  readonly jobs: Jobs;
  readonly dryRun?: true;
}

interface Context {
  readonly console: Console;
  readonly runs: FixedRuns;
  /** In place of this machine's. */
  readonly services?: Partial<ReturnType<typeof benchServices>>;
}

/** Runs what is not done yet. @returns The exit code: 0 good or help, 1 not, 2 bad input. */
export async function fixedRuns(args: readonly string[], context: Context): Promise<number> {
  const { console, runs } = context;
  const line = commandLine(runs.task, runs.about, [
    "Trainings of ResNet-20 on CIFAR-10: --dry-run prints how many, and their core-hours here",
    "Ctrl-C is safe: the same command continues",
    `Exit codes: 0 ${runs.good}, 1 not all, 2 bad input`,
  ]).addOption(option("--out <DIR>", "folder of the runs; what is done there is kept").demanded())
    .addOption(engineOption())
    .addOption(jobsOption())
    .addOption(option("--dry-run", "print what is left and what it costs; run nothing"));
  if (helpAlone(line, args, console)) return 0;
  return await runCommand<FixedOptions>(line, args, { output: console, act: (options) => run(options, context) });
}

async function run(options: FixedOptions, { console, runs, services: others }: Context): Promise<0 | 1> {
  const services = { ...(await import("./services.ts")).benchServices(), ...others, ...console };
  const engine = await services.resolveEngine(options.engine), out = resolve(options.out);
  const learn = async (plan: PlanState) => {
    const measured = await measuredRuns(out, services);
    return await learnEstimates(plan, { measured, engine, sizesOf: services.datasetSizes, services });
  };
  /** All that the folder's records name. */
  const plan = (): PlanState => {
    for (let state = statePlan(runs.specs(engine, []), out);;) {
      const next = statePlan(runs.specs(engine, [...state.finished.values()]), out);
      if (next.runs.length === state.runs.length) return next;
      state = next;
    }
  };
  if (options.dryRun) {
    const state = plan(), later = runs.later?.(engine, [...state.finished.values()]) ?? [];
    console.stdout(costText(state, later, await learn(state)));
    return 0;
  }
  const command = await services.command({ out, engine }); // before anything is written
  checkOut(out);
  const gpus = engine === "tensorflow" ? await services.gpus?.() ?? [] : [];
  const records = await withPlaces(
    { gpus, jobs: options.jobs, most: services.cores, say: (line) => console.stderr(`${line}\n`) },
    async (places) => {
      const pool = { out, command, limits: NO_LIMITS, retries: 0, failFast: false, services, jobs: places };
      for (let state = plan();;) {
        const outcome = await runGrid(state, { ...pool, estimate: await learn(state) }), next = plan();
        requireSpace(outcome, out);
        const { records, unfinished } = outcome;
        if (unfinished.length > 0 || next.runs.length === state.runs.length) return records;
        state = next;
      }
    },
  );
  const { text, good } = runs.result(records, engine);
  console.stdout(`${text}\n`);
  return good ? 0 : 1;
}

function costText({ runs, finished, todo }: PlanState, later: readonly RunSpec[], estimate: Estimator): string {
  const left = [...todo.map(({ spec }) => spec), ...later], hours = hoursOf(left.map(estimate), "");
  return `${runs.length + later.length} runs, ${finished.size} done, ${left.length} left: ` +
    `${hoursText(hours, left.length)} core-hours here\n`;
}
