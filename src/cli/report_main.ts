/** `deno task report`: see `--help`. */
import process from "node:process";
import { SUITE } from "../../benchmarks/mod.ts";
import { outliveClosedPipe } from "../pool/closed_pipe.ts";
import { report } from "./report.ts";

outliveClosedPipe();
process.exitCode = report(Deno.args, {
  core: SUITE.core,
  pages: SUITE.papers,
  deviations: Object.fromEntries(Object.values(SUITE.protocols).map(({ name, deviations }) => [name, deviations])),
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
});
