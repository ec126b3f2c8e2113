/** `deno task acceptance [--engine NAME] [--jobs N] [--out DIR]`: the three acceptance runs and their table. */
import process from "node:process";
import { parseArgs } from "node:util";
import { resolve } from "node:path";
import { ENGINE_CHOICES, type EngineChoice } from "../../src/engine/mod.ts";
import { InputError, messageOf } from "../../src/errors.ts";
import { listenForInterrupts } from "../../src/runs/interrupts.ts";
import { orderRuns, statePlan } from "../../src/runs/plan.ts";
import { runPool } from "../../src/runs/pool.ts";
import { createProgress } from "../../src/runs/progress.ts";
import { checkOut } from "../../src/runs/store.ts";
import { childCommand, loadDataset, resolveEngine } from "../services.ts";
import { acceptanceRows, acceptanceSpecs, acceptanceTable } from "./acceptance.ts";

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      engine: { type: "string", default: "auto" },
      jobs: { type: "string", default: String(navigator.hardwareConcurrency) },
      out: { type: "string", default: "runs" },
    },
  });
  if (!ENGINE_CHOICES.includes(values.engine as EngineChoice)) {
    throw new InputError(
      `Cannot use engine "${values.engine}" as it is not known: choose one of ${ENGINE_CHOICES.join(", ")}`,
    );
  }
  const jobs = Number(values.jobs), out = resolve(values.out);
  if (!Number.isInteger(jobs) || jobs < 1) {
    throw new InputError(
      `Cannot use --jobs ${values.jobs} as it must be a whole number from 1: leave it out for one a core`,
    );
  }
  const engine = await resolveEngine(values.engine as EngineChoice);
  checkOut(out);
  const plan = statePlan(orderRuns(acceptanceSpecs(engine)).map(({ spec }) => spec), out);
  const write = (text: string) => void process.stderr.write(text);
  if (plan.todo.length > 0) await loadDataset("cifar10", (line) => write(`${line}\n`));
  const interrupts = listenForInterrupts();
  const terminal = process.stderr.isTTY === true;
  const progress = createProgress(plan.todo, { write, terminal, columns: process.stderr.columns ?? 80 });
  try {
    const outcome = await runPool(plan, { out, jobs, command: childCommand(), interrupts, onEvent: progress.onEvent });
    const rows = acceptanceRows([...plan.finished.values(), ...outcome.records], engine);
    process.stdout.write(`${acceptanceTable(rows)}\n`);
    return rows.every(({ holds }) => holds === true) ? 0 : 1;
  } finally {
    progress.close();
    interrupts.dispose();
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  const bad = error instanceof InputError || error instanceof TypeError; // parseArgs throws TypeError
  if (!bad) throw error;
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 2;
}
