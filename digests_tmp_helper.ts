import * as tf from "@tensorflow/tfjs-core";
import { openEngine } from "./src/engine/mod.ts";
import { METHODS } from "./src/methods/mod.ts";
import { trainRun } from "./src/train/run.ts";
import { runId } from "./src/runs/spec.ts";
import { tinyDataset, tinySpec } from "./test/support/runs.ts";
for (const name of ["wasm", "tensorflow"] as const) {
  const engine = await openEngine(name); await tf.setBackend(name);
  const folder = await Deno.makeTempDir();
  const fp = tinySpec("fp");
  await trainRun({ spec: fp, dataset: tinyDataset(), engine, folder, teacherCheckpoint: null });
  for (const m of METHODS) {
    const spec = m.name === "fp" ? fp : tinySpec(m.name, { teacher: runId(fp) });
    const f = await Deno.makeTempDir();
    const o = await trainRun({ spec, dataset: tinyDataset(), engine, folder: f, teacherCheckpoint: m.name === "fp" ? null : `${folder}/checkpoint.safetensors`, checkpointEverySteps: 3 });
    console.log(name, m.name, runId(spec), o.status, o.networkSha256, JSON.stringify(o.curve).length, JSON.stringify(o.metrics));
  }
}
