/** A pool in its own process, for Ctrl-C: `SPECS_FILE OUT [ARM=BEHAVIOUR ...]`; prints its outcome as JSON. */
import "./clock.ts";
import { readFileSync } from "node:fs";
import process from "node:process";
import { InputError } from "../../../src/errors.ts";
import { listenForInterrupts } from "../../../src/pool/interrupts.ts";
import { statePlan } from "../../../src/plan/plan.ts";
import { runPool } from "../../../src/pool/pool.ts";
import { fakeCommand, TEST_LOCK_TIMES } from "./specs.ts";

const [specs, out, ...behaviours] = Deno.args;
const interrupts = listenForInterrupts();
try {
  const outcome = await runPool(statePlan(JSON.parse(readFileSync(specs!, "utf8")), out!), {
    out: out!,
    jobs: 2,
    command: fakeCommand(behaviours),
    interrupts,
    lockTimes: TEST_LOCK_TIMES,
    onEvent: (event) => void process.stderr.write(`${event.type} ${event.run.spec.arm}\n`),
  });
  process.stdout.write(JSON.stringify({
    records: outcome.records.map(({ status }) => status),
    unfinished: outcome.unfinished.length,
    killed: interrupts.kill.aborted,
  }));
} catch (error) {
  if (!(error instanceof InputError)) throw error;
  process.stderr.write(error.message + "\n");
  process.exitCode = 2;
}
interrupts.dispose();
