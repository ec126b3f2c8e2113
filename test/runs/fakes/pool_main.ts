/** A pool in its own process, for Ctrl-C: `SPECS_FILE OUT [ARM=BEHAVIOUR ...]`; prints its outcome as JSON. */
import { readFileSync } from "node:fs";
import process from "node:process";
import { listenForInterrupts } from "../../../src/runs/interrupts.ts";
import { statePlan } from "../../../src/runs/plan.ts";
import { runPool } from "../../../src/runs/pool.ts";
import { fakeCommand } from "./specs.ts";

const [specs, out, ...behaviours] = Deno.args;
const interrupts = listenForInterrupts();
const plan = statePlan(JSON.parse(readFileSync(specs!, "utf8")), out!);
const outcome = await runPool(plan, {
  out: out!,
  jobs: 2,
  command: fakeCommand(behaviours),
  interrupts,
  onEvent: (event) => void process.stderr.write(`${event.type} ${event.run.spec.arm}\n`),
});
interrupts.dispose();
process.stdout.write(JSON.stringify({
  records: outcome.records.map(({ status }) => status),
  unfinished: outcome.unfinished.length,
  killed: interrupts.kill.aborted,
}));
