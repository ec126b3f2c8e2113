/**
 * The process of one run: `[--keep-epochs] [--probe STEPS] --spec FILE --out DIR [--library FILE]`; JSON lines on stdout, text
 * for people on stderr. With `--probe` it times that many steps and ends. It has fewer rights than `main.ts`: see `childRights`.
 */
import { writeSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { loadDataset } from "../../datasets/mod.ts";
import { openEngine } from "../engine/mod.ts";
import { runChild } from "../pool/child.ts";
import type { ChildMessage } from "../pool/process.ts";
import type { TrainOutcome, TrainRequest } from "../record/trainer.ts";
import { probeRun } from "../train/probe.ts";
import { trainRun } from "../train/run.ts";

const { values } = parseArgs({
  options: {
    spec: { type: "string" },
    out: { type: "string" },
    library: { type: "string" },
    "keep-epochs": { type: "boolean", default: false },
    probe: { type: "string" },
  },
});
// Found by the process that started this one, which may ask other programs for it.
if (values.library !== undefined) Deno.env.set("REQUANT_LIBTENSORFLOW", values.library);

function write(line: string): void {
  writeSync(1, line);
}

/** Times the steps of a run and reports them. */
function probe({ spent, environment, ...request }: TrainRequest): Promise<TrainOutcome> {
  return probeRun({ ...request, spent: spent! }, {
    steps: Number(values.probe),
    onProbe(times) {
      const peakMemoryMiB = process.resourceUsage().maxRSS / 1024;
      const message: ChildMessage = { type: "probe", probe: { ...times, peakMemoryMiB, environment: environment! } };
      write(JSON.stringify(message) + "\n");
    },
  });
}

const exitCode = await runChild(values, {
  train: values.probe === undefined ? (request) => trainRun({ ...request, keepEpochs: values["keep-epochs"] }) : probe,
  openEngine: (name, precision) => openEngine(name, { precision }),
  loadDataset: (name, log) => loadDataset(name, { log }),
  write,
  log: (line) => void writeSync(2, line + "\n"),
});
// The engine may hold threads and handles that would keep the process alive.
process.exit(exitCode);
