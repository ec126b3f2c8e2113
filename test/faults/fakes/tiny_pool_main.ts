/** A pool of real tiny runs in its own process: `SPECS_FILE OUT`; runs that are killed are tried again. */
import { readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { statePlan } from "../../../src/plan/plan.ts";
import { runPool } from "../../../src/pool/pool.ts";
import { TEST_LOCK_TIMES } from "../../support/fakes/specs.ts";

const [specs, out] = Deno.args;
const child = fileURLToPath(new URL("./tiny_child_main.ts", import.meta.url));
const { records } = await runPool(statePlan(JSON.parse(readFileSync(specs!, "utf8")), out!), {
  out: out!,
  jobs: 2,
  command: [Deno.execPath(), "run", "-A", "--quiet", "--no-check", child],
  retries: 1000,
  lockTimes: TEST_LOCK_TIMES,
});
process.exitCode = records.every(({ status }) => status === "done") ? 0 : 1;
