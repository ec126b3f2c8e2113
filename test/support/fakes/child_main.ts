/** The process of a fake run: `[ARM=BEHAVIOUR ...] --spec FILE --out DIR`; arms without one are done. */
import "./clock.ts";
import { appendFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { runChild } from "../../../src/pool/child.ts";
import { type Behaviour, FAKE_DATASET, FAKE_ENGINE, fakeTrain } from "./fake_trainer.ts";

const { values, positionals } = parseArgs({
  options: { spec: { type: "string" }, out: { type: "string" }, "keep-epochs": { type: "boolean" } },
  allowPositionals: true,
});
const behaviours = Object.fromEntries(positionals.map((text) => text.split("="))) as Record<string, Behaviour>;

/** A line in `<out>/trace.txt`, so that tests see what ran and when. */
function trace(text: string): void {
  appendFileSync(join(values.out!, "trace.txt"), text + "\n");
}

process.exitCode = await runChild(values, {
  train: async (request) => {
    trace(`start ${request.spec.arm}${values["keep-epochs"] ? ", keeping epochs" : ""}`);
    const outcome = await fakeTrain(request, behaviours[request.spec.arm] ?? "done");
    trace(`end ${request.spec.arm}`);
    return outcome;
  },
  openEngine: () => Promise.resolve(FAKE_ENGINE),
  loadDataset: () => Promise.resolve(FAKE_DATASET),
  write: (text) => void writeSync(1, text),
  log: (line) => void writeSync(2, line + "\n"),
});
