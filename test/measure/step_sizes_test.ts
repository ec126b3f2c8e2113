import assert from "node:assert/strict";
import { stepSizes } from "../../src/measure/step_sizes.ts";
import { testOnEngines } from "../support/engines.ts";
import { tinySubject } from "./tiny_network.ts";

testOnEngines("step_sizes are each layer's own, weights averaged over channels", (engine) => {
  const { subject, network } = tinySubject(engine, "quantized"),
    { weights, inputs } = stepSizes.start(subject, {})
      .measure(network, network) as { weights: number[]; inputs: number[] };
  const own = (path: string) => [...network.params[`${path}/step_size`]!.dataSync()];
  subject.model.layers.forEach(({ path }, index) => {
    const channels = own(`${path}/weight_quantizer`), sum = channels.reduce((total, step) => total + step, 0);
    assert.ok(Math.abs(weights[index]! - sum / channels.length) < 1e-12, path);
    assert.deepEqual([inputs[index]!], own(`${path}/input_quantizer`), path);
  });
  assert.equal(weights.length, subject.model.layers.length);
});

testOnEngines("step_sizes of full precision are none", (engine) => {
  const { subject, network } = tinySubject(engine, "full");
  assert.deepEqual(stepSizes.start(subject, {}).measure(network, network), { weights: [], inputs: [] });
});
