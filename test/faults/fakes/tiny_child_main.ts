/** The process of a real run on a tiny data set, engine wasm: `--spec FILE --out DIR`; a checkpoint every two steps. */
import { writeSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { openEngine } from "../../../src/engine/mod.ts";
import { runChild } from "../../../src/pool/child.ts";
import { trainRun } from "../../../src/train/run.ts";
import { tinyDataset } from "../../support/runs.ts";

const { values } = parseArgs({ options: { spec: { type: "string" }, out: { type: "string" } } });
const exitCode = await runChild(values, {
  train: (request) => trainRun({ ...request, checkpointEverySteps: 2 }),
  openEngine: () => openEngine("wasm"),
  loadDataset: () => Promise.resolve(tinyDataset()),
  write: (line) => void writeSync(1, line),
  log: (line) => void writeSync(2, line + "\n"),
});
process.exit(exitCode);
