/** Our side of `deno task peer`, one process: `main.ts WORK` measures the training step of a work file, JSON on stdout. */
import process from "node:process";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { openEngine } from "../../../src/engine/mod.ts";
import { trainingStep } from "../../../src/train/step.ts";
import { peakBytes, processSeconds } from "../processes.ts";
import { median, type Sample } from "../result.ts";
import { readWork, stepOptions } from "../work.ts";

const LOSSES = 3;

const engine = await openEngine("tensorflow", { threads: 1 });
const { work, images, labels, ...start } = await readWork(Deno.args[0]!);
const step = engine.compile(trainingStep(stepOptions(work)));
const fixed = {
  teacher: { params: {}, state: {} },
  images: { view0: images },
  labels,
  inputs: {},
  learningRate: tf.scalar(work.learningRate),
};
let training = start.training;

/** One step; its loss, read as in a training. */
function loss(): number {
  const outputs = step({ ...fixed, training });
  const value = outputs.metrics["loss"]!.dataSync()[0]!;
  outputs.metrics["correct"]!.dataSync();
  tf.dispose([training, outputs.metrics] as unknown as Tensor[]);
  training = outputs.training;
  return value;
}

const { warmupSteps, leastSteps, mostSteps, seconds } = work.rule;
const losses = Array.from({ length: warmupSteps }, loss).slice(0, LOSSES);
const wall: number[] = [], cpu: number[] = [], began = performance.now();
while (wall.length < leastSteps || (wall.length < mostSteps && performance.now() - began < 1000 * seconds)) {
  const wallBefore = performance.now(), cpuBefore = processSeconds();
  loss();
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
