/** `deno task verify`: see `--help`. */
import process from "node:process";
import { outliveClosedPipe } from "../pool/closed_pipe.ts";
import { main } from "./verify.ts";

outliveClosedPipe();
const exitCode = await main(Deno.args, {
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
});
// The engine may hold threads and handles that would keep the process alive.
process.exit(exitCode);
