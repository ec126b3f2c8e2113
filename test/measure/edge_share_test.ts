import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import { edgeShare } from "../../src/measure/edge_share.ts";
import { testOnEngines } from "../support/engines.ts";
import { tinySubject } from "./tiny_network.ts";

testOnEngines("edge_share counts the weights near an edge, and loses no tensor", (engine) => {
  const { subject, network } = tinySubject(engine, "quantized"), path = "conv1/weight";
  const steps = network.params["conv1/weight_quantizer/step_size"]!.dataSync(), { shape, size } = network.params[path]!;
  // every second weight 0.02 steps above an edge, the others in the middle of two
  const values = Float32Array.from({ length: size }, (_, i) => (i % 2 === 0 ? 0.52 : 0) * steps[i % steps.length]!);
  const changed = { ...network, params: { ...network.params, [path]: tf.tensor(values, shape) } };
  const first = (distance: number) => {
    const measuring = edgeShare.start(subject, edgeShare.options.parse({ distance }));
    const found = measuring.measure(changed, changed), before = tf.memory().numTensors;
    measuring.measure(changed, changed);
    assert.equal(tf.memory().numTensors, before);
    measuring.dispose();
    assert.ok((found.share as number) <= 1 && (found.layers as number[]).length === subject.model.layers.length);
    return (found.layers as number[])[0]!;
  };
  assert.deepEqual([first(0.01), first(0.03)], [0, Math.ceil(size / 2) / size]);
});

testOnEngines("edge_share of full precision is nothing", (engine) => {
  const { subject, network } = tinySubject(engine, "full");
  assert.deepEqual(edgeShare.start(subject, { distance: 0.01 }).measure(network, network), { layers: [], share: 0 });
});
