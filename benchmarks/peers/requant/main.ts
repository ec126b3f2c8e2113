/** Our side of `deno task peer`, one process: `main.ts WORK` measures the training step of a work file, JSON on stdout. */
import process from "node:process";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { openEngine } from "../../../src/engine/mod.ts";
import { trainingStep } from "../../../src/train/step.ts";
import { peakBytes, processSeconds } from "../processes.ts";
import { median, type Sample } from "../result.ts";
import { methodInputs, readWork, stepOptions } from "../work.ts";

const LOSSES = 3;

const engine = await openEngine("tensorflow", { threads: 1 });
const { work, images, labels, teacher, ...start } = await readWork(Deno.args[0]!);
const step = engine.compile(trainingStep(stepOptions(work)));
const fixed = { teacher, images, labels, learningRate: tf.scalar(work.learningRate) };
let training = start.training;

/** One step; its loss, read as in a training. `timed`: how many timed steps were before it; null: its loss is compared. */
function loss(timed: number | null): number {
  const inputs = Object.fromEntries(
    Object.entries(methodInputs(work, { timed })).map(([name, values]) => [
      name,
      tf.tensor1d(values, values instanceof Int32Array ? "int32" : "float32"),
    ]),
  );
  const outputs = step({ ...fixed, training, inputs });
  const value = outputs.metrics["loss"]!.dataSync()[0]!;
  outputs.metrics["correct"]!.dataSync();
  tf.dispose([training, inputs, outputs.metrics] as unknown as Tensor[]);
  training = outputs.training;
  return value;
}

const { warmupSteps, leastSteps, mostSteps, seconds } = work.rule;
const losses = Array.from({ length: warmupSteps }, () => loss(null)).slice(0, LOSSES);
const wall: number[] = [], cpu: number[] = [], began = performance.now();
while (wall.length < leastSteps || (wall.length < mostSteps && performance.now() - began < 1000 * seconds)) {
  const wallBefore = performance.now(), cpuBefore = processSeconds();
  loss(wall.length);
  cpu.push(processSeconds() - cpuBefore);
  wall.push((performance.now() - wallBefore) / 1000);
}
const sample: Sample = {
  seconds: median(wall),
  cpuSeconds: median(cpu),
  steps: wall.length,
  losses,
  peakBytes: peakBytes(),
  versions: { ...engine.versions },
};
process.stdout.write(`${JSON.stringify(sample)}\n`);
process.exit(0);
