/** Our side of `deno task dev:peer`, one process: `main.ts WORK ENGINE [PRECISION]` measures the training step of a work file, JSON on stdout. */
import process from "node:process";
import { type EngineName, openEngine, type Precision } from "../../../src/engine/mod.ts";
import { peakBytes, processSeconds } from "../processes.ts";
import type { Sample } from "../measurement.ts";
import { median } from "../result.ts";
import { METHOD_ARMS } from "../steps.ts";
import { readWork } from "../work.ts";
import { measureParts } from "./parts.ts";
import { stepperOf } from "./stepper.ts";

const LOSSES = 3;

const [work, name, precision] = Deno.args as [string, EngineName, Precision?];
const engine = await openEngine(name, { threads: 1, ...(precision && { precision }) });
const { training, ...start } = await readWork(work);
const { arm, rule: { warmupSteps, leastSteps, mostSteps, seconds } } = start.work;
const stepper = stepperOf(engine, { ...start, training });

const losses = Array.from({ length: warmupSteps }, () => stepper.step(null)).slice(0, LOSSES);
const wall: number[] = [], cpu: number[] = [], began = performance.now();
while (wall.length < leastSteps || (wall.length < mostSteps && performance.now() - began < 1000 * seconds)) {
  const wallBefore = performance.now(), cpuBefore = processSeconds();
  stepper.step(wall.length);
  cpu.push(processSeconds() - cpuBefore);
  wall.push((performance.now() - wallBefore) / 1000);
}
const sample: Sample = {
  seconds: median(wall),
  cpuSeconds: median(cpu),
  steps: wall.length,
  losses,
  // of the process, not of a GPU; before the parts, which take more
  peakBytes: engine.device === "gpu" ? null : peakBytes(),
  versions: { ...engine.versions },
  ...(METHOD_ARMS.includes(arm) ? { parts: measureParts(engine, { start, stepper, repeats: leastSteps }) } : {}),
};
process.stdout.write(`${JSON.stringify(sample)}\n`);
process.exit(0);
