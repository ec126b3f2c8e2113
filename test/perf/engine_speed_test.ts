import assert from "node:assert/strict";
import { compareWasm } from "../../perf/engine_speed/compare.ts";
import { tinyDataset } from "../support/runs.ts";

Deno.test("compareWasm() measures one and the same step by the suite's kernels and by plain ops of tfjs", async () => {
  const options = { dataset: tinyDataset(), model: "resnet8", batch: 4, rounds: 1 };
  const speed = await compareWasm({ ...options, bits: null });
  assert.ok(Math.abs(speed.losses.ours / speed.losses.plain - 1) < 1e-5, JSON.stringify(speed.losses));
  assert.ok(speed.updateDistance < 1e-4, `${speed.updateDistance}`);
  assert.ok(speed.secondsPerStep.ours > 0 && speed.secondsPerStep.plain > 0);
  assert.ok(speed.ratio.lowest <= speed.ratio.median && speed.ratio.median <= speed.ratio.highest);
});
