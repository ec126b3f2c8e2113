import process from "node:process";
import { parseArgs } from "node:util";
import { resolve } from "node:path";
import { ENGINE_CHOICES, type EngineChoice } from "../src/engine/mod.ts";
import type { EngineName } from "../src/engine/types.ts";
import { InputError, messageOf } from "../src/errors.ts";
import { listenForInterrupts } from "../src/runs/interrupts.ts";
import { orderRuns, statePlan } from "../src/runs/plan.ts";
import { runPool } from "../src/runs/pool.ts";
import { createProgress } from "../src/runs/progress.ts";
import type { RunRecord } from "../src/runs/record.ts";
import type { RunSpec } from "../src/runs/spec.ts";
import { checkOut } from "../src/runs/store.ts";
import { childCommand, loadDataset, resolveEngine } from "./services.ts";

/** A list of runs that is no table of a paper, on CIFAR-10. */
export interface FixedRuns {
  readonly specs: (engine: EngineName) => readonly RunSpec[];
  /** What is printed of the records, and whether it is what was wanted. */
  readonly result: (records: readonly RunRecord[], engine: EngineName) => { text: string; good: boolean };
}

/**
 * Runs what is not done yet, with the flags `--engine NAME`, `--jobs N` and `--out DIR`.
 * @returns The text to print and the exit code: 0 good, 1 not, 2 bad input (then the text is the sentence).
 */
export async function fixedRuns(args: readonly string[], runs: FixedRuns): Promise<{ text: string; code: 0 | 1 | 2 }> {
  try {
    const { text, good } = await run(readOptions(args), runs);
    return { text, code: good ? 0 : 1 };
  } catch (error) {
    const bad = error instanceof InputError || error instanceof TypeError; // parseArgs throws TypeError
    if (!bad) throw error;
    return { text: messageOf(error), code: 2 };
  }
}

function readOptions(args: readonly string[]): { engine: EngineChoice; jobs: number; out: string } {
  const { values } = parseArgs({
    args: [...args],
    options: {
      engine: { type: "string", default: "auto" },
      jobs: { type: "string", default: String(navigator.hardwareConcurrency) },
      out: { type: "string", default: "runs" },
    },
  });
  const engine = ENGINE_CHOICES.find((name) => name === values.engine);
  if (engine === undefined) {
    throw new InputError(
      `Cannot use engine "${values.engine}" as it is not known: choose one of ${ENGINE_CHOICES.join(", ")}`,
    );
  }
  const jobs = Number(values.jobs);
  if (!Number.isInteger(jobs) || jobs < 1) {
    throw new InputError(
      `Cannot use --jobs ${values.jobs} as it must be a whole number from 1: leave it out for one a core`,
    );
  }
  return { engine, jobs, out: resolve(values.out) };
}

async function run({ engine: choice, jobs, out }: ReturnType<typeof readOptions>, { specs, result }: FixedRuns) {
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
