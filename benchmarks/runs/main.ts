/** `deno task runs`: see `--help`. */
import process from "node:process";
import { listenForInterrupts } from "../../src/runs/interrupts.ts";
import { runs } from "./runs.ts";

const interrupts = listenForInterrupts();
process.exitCode = await runs(Deno.args, {
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
  stop: interrupts.stop,
});
interrupts.dispose();
