/** `deno task worker`: see `--help`. */
import process from "node:process";
import { outliveClosedPipe } from "../pool/closed_pipe.ts";
import { listenForInterrupts } from "../pool/interrupts.ts";
import { childCommand, loadDataset, resolveEngine } from "./services.ts";
import { work } from "./worker.ts";

outliveClosedPipe();
const exitCode = await work(Deno.args, {
  resolveEngine,
  prepareDataset: async (name, log) => void await loadDataset(name, log),
  command: childCommand,
  cores: navigator.hardwareConcurrency,
  listenForInterrupts,
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
});
// A connection to a server that does not answer would keep the process alive.
process.exit(exitCode);
