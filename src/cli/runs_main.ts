/** `deno task runs`: see `--help`. */
import process from "node:process";
import { outliveClosedPipe } from "../pool/closed_pipe.ts";
import { listenForInterrupts } from "../pool/interrupts.ts";
import { runs } from "./runs.ts";

// all that it does is print; copying and deleting is done before it tells
outliveClosedPipe(() => process.exit(0));
const interrupts = listenForInterrupts();
process.exitCode = await runs(Deno.args, {
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
  stop: interrupts.stop,
});
interrupts.dispose();
