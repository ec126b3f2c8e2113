/** `deno task report`: see `--help`. */
import process from "node:process";
import { CORE } from "../../benchmarks/core.ts";
import { PAPERS } from "../../benchmarks/mod.ts";
import { pageOf } from "../plan/page_of.ts";
import { PROTOCOL_DEFINITIONS } from "../../benchmarks/protocols.ts";
import { outliveClosedPipe } from "../pool/closed_pipe.ts";
import { report } from "./report.ts";

outliveClosedPipe();
process.exitCode = report(Deno.args, {
  core: CORE,
  pages: PAPERS.map(pageOf),
  deviations: Object.fromEntries(Object.values(PROTOCOL_DEFINITIONS).map(({ name, deviations }) => [name, deviations])),
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
});
