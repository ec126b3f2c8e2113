/**
 * The process of one run: `[--keep-epochs] --spec FILE --out DIR [--library FILE]`; JSON lines on stdout, text for people on
 * stderr. It has fewer rights than `main.ts`: see `childRights`.
 */
import { writeSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { loadDataset } from "../../datasets/mod.ts";
import { openEngine } from "../engine/mod.ts";
import { runChild } from "../pool/child.ts";
import { trainRun } from "../train/run.ts";

const { values } = parseArgs({
  options: {
    spec: { type: "string" },
    out: { type: "string" },
    library: { type: "string" },
    "keep-epochs": { type: "boolean", default: false },
  },
});
// Found by the process that started this one, which may ask other programs for it.
if (values.library !== undefined) Deno.env.set("REQUANT_LIBTENSORFLOW", values.library);

const exitCode = await runChild(values, {
  train: (request) => trainRun({ ...request, keepEpochs: values["keep-epochs"] }),
  openEngine: (name, precision) => openEngine(name, { precision }),
  loadDataset: (name, log) => loadDataset(name, { log }),
  write: (line) => void writeSync(1, line),
  log: (line) => void writeSync(2, line + "\n"),
});
// The engine may hold threads and handles that would keep the process alive.
process.exit(exitCode);
