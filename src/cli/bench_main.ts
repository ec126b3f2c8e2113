/** `deno task bench`: see `--help`. */
import process from "node:process";
import { gpuExpected } from "../engine/locate.ts";
import { outliveClosedPipe } from "../pool/closed_pipe.ts";
import { listenForInterrupts } from "../pool/interrupts.ts";
import { machineMemoryMiB } from "../pool/machine.ts";
import { bench } from "./bench.ts";
import { PAPERS } from "../../benchmarks/mod.ts";
import {
  checkpointMiB,
  childCommand,
  committedRecords,
  datasetSizes,
  loadDataset,
  renderReports,
  resolveEngine,
} from "./services.ts";

outliveClosedPipe();
process.exitCode = await bench(Deno.args, {
  papers: PAPERS,
  resolveEngine,
  prepareDataset: async (name, log) => void await loadDataset(name, log),
  datasetSizes,
  renderReports,
  command: childCommand,
  committedRecords,
  checkpointMiB,
  memoryMiB: machineMemoryMiB(),
  cores: navigator.hardwareConcurrency,
  gpuExpected,
  listenForInterrupts,
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
  terminal: process.stderr.isTTY === true,
  columns: process.stderr.columns ?? 80,
});
