import process from "node:process";
import { resolve } from "node:path";
import { ENGINE_CHOICES, type EngineChoice } from "../engine/mod.ts";
import type { EngineName } from "../engine/types.ts";
import { InputError } from "../errors.ts";
import { listenForInterrupts } from "../pool/interrupts.ts";
import { orderRuns, statePlan } from "../plan/plan.ts";
import { runPool } from "../pool/pool.ts";
import { createProgress } from "../pool/progress.ts";
import type { RunRecord } from "../record/record.ts";
import type { RunSpec } from "../record/spec.ts";
import { checkOut } from "../store/store.ts";
import { type Option, optionLines, parseJobs, readFlags } from "./flags.ts";
import { unknownValue } from "../plan/tables.ts";
import { childCommand, loadDataset, resolveEngine } from "./services.ts";

/** A list of runs that is no table of a paper, on CIFAR-10. */
export interface FixedRuns {
  readonly help: {
    /** Of `deno task`. */
    readonly task: string;
    readonly about: string;
    /** What it takes, for whoever only wanted to look. */
    readonly takes: string;
    /** When the exit code is 0. */
    readonly good: string;
  };
  readonly specs: (engine: EngineName) => readonly RunSpec[];
  /** What is printed of the records, and whether it is what was wanted. */
  readonly result: (records: readonly RunRecord[], engine: EngineName) => { text: string; good: boolean };
}

interface FixedOptions {
  readonly engine: EngineChoice;
  readonly jobs: number;
  readonly out: string;
}

const DEFAULT_OUT = "runs";

const OPTIONS: readonly Option[] = [
  {
    name: "engine",
    value: ENGINE_CHOICES.join("|"),
    help: "what computes; default: auto, tensorflow where it is found",
  },
  { name: "jobs", value: "N", help: "how many runs at once; default: one a core" },
  {
    name: "out",
    value: "DIR",
    help: `folder of the runs; those that are done are not run again; default: ${DEFAULT_OUT}`,
  },
  { name: "help", value: null, help: "print this" },
];

/**
 * Runs what is not done yet, as the flags say.
 * @returns The text to print and the exit code: 0 good or help, 1 not, 2 bad input (then the text is the sentence).
 */
export async function fixedRuns(args: readonly string[], runs: FixedRuns): Promise<{ text: string; code: 0 | 1 | 2 }> {
  try {
    const options = readOptions(args);
    if (options === null) return { text: helpText(runs.help), code: 0 };
    const { text, good } = await run(options, runs);
    return { text, code: good ? 0 : 1 };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { text: error.message, code: 2 };
  }
}

function helpText({ task, about, takes, good }: FixedRuns["help"]): string {
  return [
    about,
    "",
    `Usage: deno task ${task} [options]`,
    "",
    ...optionLines(OPTIONS),
    "",
    takes,
    `Exit codes: 0 ${good}, 1 not all, 2 bad input`,
  ].join("\n");
}

/** @returns Null: help was asked for. */
function readOptions(args: readonly string[]): FixedOptions | null {
  const given = readFlags(args, OPTIONS);
  if (given.has("help")) return null;
  const wanted = given.get("engine") ?? "auto", jobs = given.get("jobs");
  const engine = ENGINE_CHOICES.find((name) => name === wanted);
  if (engine === undefined) throw unknownValue("engine", wanted, ENGINE_CHOICES);
  return {
    engine,
    jobs: jobs === undefined ? navigator.hardwareConcurrency : parseJobs(jobs),
    out: resolve(given.get("out") ?? DEFAULT_OUT),
  };
}

async function run({ engine: choice, jobs, out }: FixedOptions, { specs, result }: FixedRuns) {
  const engine = await resolveEngine(choice);
  checkOut(out);
  const plan = statePlan(orderRuns(specs(engine)).map(({ spec }) => spec), out);
  const write = (text: string) => void process.stderr.write(text);
  if (plan.todo.length > 0) await loadDataset("cifar10", (line) => write(`${line}\n`));
  const interrupts = listenForInterrupts();
  const terminal = process.stderr.isTTY === true;
  const progress = createProgress(plan.todo, { write, terminal, columns: process.stderr.columns ?? 80 });
  try {
    const command = await childCommand({ out, engine });
    const outcome = await runPool(plan, { out, jobs, command, interrupts, onEvent: progress.onEvent });
    return result([...plan.finished.values(), ...outcome.records], engine);
  } finally {
    progress.close();
    interrupts.dispose();
  }
}
