/** `deno task measure`: see `--help`. */
import process from "node:process";
import { openEngine } from "../engine/mod.ts";
import { outliveClosedPipe } from "../pool/closed_pipe.ts";
import { loadDataset } from "./services.ts";
import { measure } from "./measure.ts";

outliveClosedPipe();
const exitCode = await measure(Deno.args, {
  openEngine: (choice) => openEngine(choice),
  loadDataset,
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
});
// The engine may hold threads and handles that would keep the process alive.
process.exit(exitCode);
