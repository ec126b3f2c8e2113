import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import { unaveraged } from "../../src/measure/unaveraged.ts";
import { testOnEngines } from "../support/engines.ts";
import { scores, tinySubject } from "./tiny_network.ts";

testOnEngines(
  "unaveraged scores the network that is evaluated and the one that trained, and loses no tensor",
  (engine) => {
    const { subject, network } = tinySubject(engine, "quantized");
    const params = { ...network.params, "dense/bias": tf.add(network.params["dense/bias"]!, [2, 0, -1]) };
    const trained = { ...network, params }, tensors = tf.memory().numTensors;
    const measuring = unaveraged.start(subject, unaveraged.options.parse({}));
    const found = measuring.measure(network, trained) as Record<string, number>;
    assert.equal(tf.memory().numTensors, tensors);
    const one = measuring.measure(trained, trained) as Record<string, number>;
    measuring.dispose();

    const average = scores(subject, network), own = scores(subject, trained);
    assert.equal(found["testImages"], subject.testIndices.length);
    const values = ["top1Percent", "loss", "unaveragedTop1Percent", "unaveragedLoss"].map((name) => found[name]!);
    [average.top1Percent, average.loss, own.top1Percent, own.loss].forEach((expected, i) =>
      assert.ok(Math.abs(values[i]! - expected) <= 1e-4, `${values[i]} is not ${expected}`)
    );
    assert.ok(Math.abs(average.loss - own.loss) > 1e-2, "the two networks of this test must differ");
    assert.equal(one["top1Percent"], one["unaveragedTop1Percent"]);
    assert.equal(one["loss"], one["unaveragedLoss"]);
  },
);
