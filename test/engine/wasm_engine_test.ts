import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import * as reference from "../../src/engine/doctor/reference.ts";
import { valuesOf } from "../../src/engine/doctor/reference.ts";
import {
  batchNormTraining,
  convolution,
  KERNELS,
  logDet,
  relu,
  relu6,
  roundClip,
  uniformPerturbation,
} from "../../src/engine/ops.ts";
import type { TensorTree } from "../../src/engine/types.ts";
import { openWasmEngine } from "../../src/engine/wasm/engine.ts";

const engine = await openWasmEngine();

/** A training step in small: every op of `ops.ts`, its gradients, and an update. */
function step(inputs: Record<string, tf.Tensor>): Record<string, tf.Tensor> {
  const { x, labels, state, active, rate } = inputs as Record<string, tf.Tensor>;
  function loss(w1: tf.Tensor, w2: tf.Tensor, w3: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor): tf.Scalar {
    const noisy = uniformPerturbation(convolution(x!, w1, { stride: 1 }), {
      state: state!,
      stream: 1,
      active: active!,
    });
    const first = relu(batchNormTraining(noisy, gamma, beta, 1e-5).y);
    const quantized = tf.mul(roundClip(tf.mul(first, 4), { low: 0, high: 7 }), 0.25);
    const second = relu6(convolution(convolution(quantized, w2, { stride: 2, depthwise: true }), w3, { stride: 2 }));
    const pooled = tf.mean(second, [1, 2]) as tf.Tensor2D;
    const gram = tf.add(tf.matMul(pooled, pooled, true, false), tf.mul(10, tf.eye(pooled.shape[1])));
    const entropy = tf.neg(tf.sum(tf.mul(labels!, tf.logSoftmax(pooled))));
    return tf.add(entropy, tf.sum(logDet(tf.expandDims(gram, 0)))) as tf.Scalar;
  }
  const names = ["w1", "w2", "w3", "gamma", "beta"] as const;
  const { value, grads } = tf.valueAndGrads(loss as (...args: tf.Tensor[]) => tf.Scalar)(names.map((n) => inputs[n]!));
  const updated = names.map((name, i) => [name, tf.sub(inputs[name]!, tf.mul(rate!, grads[i]!))]);
  return { ...Object.fromEntries(updated), loss: value };
}

function wave(shape: number[], seed: number): tf.Tensor {
  return tf.tensor(Array.from(valuesOf(shape, (i) => Math.sin(1.3 * i + seed)).values), shape);
}

function stepInputs(): Record<string, tf.Tensor> {
  return {
    x: wave([4, 7, 7, 3], 1),
    w1: wave([3, 3, 3, 5], 2),
    w2: wave([3, 3, 5, 1], 3),
    w3: wave([3, 3, 5, 4], 4),
    gamma: tf.ones([5]),
    beta: tf.zeros([5]),
    labels: tf.cast(tf.oneHot(tf.tensor1d([0, 3, 1, 2], "int32"), 4), "float32"),
    state: tf.tensor1d([1, 2, 3, 4, 5, 6], "int32"),
    active: tf.scalar(1),
    rate: tf.scalar(0.01),
  };
}

function bytesOf(tree: Record<string, tf.Tensor>): string {
  return Object.keys(tree).sort().map((name) => {
    const values = tree[name]!.dataSync();
    return `${name} ${new Uint8Array(values.buffer, values.byteOffset, values.byteLength).toHex()}`;
  }).join();
}

Deno.test("openWasmEngine() opens one engine a process, on one thread with SIMD", async () => {
  assert.equal(await openWasmEngine(), engine);
  assert.deepEqual([engine.name, engine.device, engine.threads], ["wasm", "cpu", 1]);
  assert.equal(engine.versions["tfjs-backend-wasm"], "4.22.0");
  assert.equal(tf.env().get("WASM_HAS_MULTITHREAD_SUPPORT"), false);
});

Deno.test("the wasm engine has every kernel of ops.ts", () => {
  for (const kernel of KERNELS) assert.ok(tf.getKernel(kernel, "wasm"), kernel);
});

Deno.test("convolution() at stride 2 and its gradients are PyTorch's: (k - 1) / 2 zeros on every side", () => {
  for (const [h, w, k] of [[8, 8, 3], [7, 9, 3], [6, 7, 5], [5, 6, 1]] as const) {
    const options = { stride: 2, padding: (k - 1) / 2 };
    const x = valuesOf([2, h, w, 3], (i) => Math.sin(1.7 * i)),
      filter = valuesOf([k, k, 3, 4], (i) => Math.cos(1.1 * i));
    const y = reference.convolve(x, filter, options), dy = valuesOf(y.shape, (i) => Math.sin(0.7 * i + 1));
    const { dx, dfilter } = reference.convolveGradients({ x, filter, dy }, options);
    tf.tidy(() => {
      const tensor = ({ values, shape }: reference.Values) => tf.tensor(Array.from(values), [...shape]);
      const f = (x: tf.Tensor, filter: tf.Tensor) => convolution(x, filter, { stride: 2 });
      const gradients = tf.grads(f)([tensor(x), tensor(filter)], tensor(dy));
      for (
        const [actual, expected] of [[f(tensor(x), tensor(filter)), y], [gradients[0]!, dx], [
          gradients[1]!,
          dfilter,
        ]] as const
      ) {
        assert.deepEqual(actual.shape, expected.shape);
        const values = actual.dataSync();
        expected.values.forEach((value, i) => assert.ok(Math.abs(values[i]! - value) < 1e-4, `${h} ${w} ${k} at ${i}`));
      }
    });
  }
});

Deno.test("compile() gives the same bytes as the program, every time", () => {
  tf.tidy(() => {
    const compiled = engine.compile(step), inputs = stepInputs();
    const once = bytesOf(compiled(inputs));
    assert.ok(bytesOf(compiled(inputs)) === once);
    assert.ok(bytesOf(step(inputs)) === once);
    assert.ok(Number.isFinite(compiled(inputs).loss!.dataSync()[0]));
  });
});

Deno.test("compile() leaks no tensor over 200 training steps, and the loss falls", () => {
  const compiled = engine.compile(step);
  const { w1, w2, w3, gamma, beta, ...rest } = stepInputs(), losses: number[] = [];
  let parameters: Record<string, tf.Tensor> = { w1: w1!, w2: w2!, w3: w3!, gamma: gamma!, beta: beta! };
  const tensors = tf.memory().numTensors, data = tf.backend().numDataIds();
  for (let i = 0; i < 200; i++) {
    const { loss, ...updated } = compiled({ ...parameters, ...rest });
    losses.push(loss!.dataSync()[0]!);
    tf.dispose([loss!, parameters]);
    parameters = updated as Record<string, tf.Tensor>;
  }
  assert.deepEqual([tf.memory().numTensors, tf.backend().numDataIds()], [tensors, data]);
  assert.ok(losses.at(-1)! < losses[0]! - 0.1, `${losses[0]} to ${losses.at(-1)}`);
  tf.dispose([parameters, rest]);
});

Deno.test("compile() hands every output to the caller: inputs and repeated tensors come as clones", () => {
  const before = tf.memory().numTensors, a = tf.tensor1d([1, 2]);
  const compiled = engine.compile((inputs: { deep: { a: tf.Tensor } }): TensorTree => {
    const doubled = tf.mul(inputs.deep.a, 2);
    return { same: inputs.deep.a, nested: { first: doubled, second: doubled } };
  });
  const result = compiled({ deep: { a } }) as { same: tf.Tensor; nested: { first: tf.Tensor; second: tf.Tensor } };
  tf.dispose([a, result.nested.first]);
  assert.deepEqual(Array.from(result.same.dataSync()), [1, 2]);
  assert.deepEqual(Array.from(result.nested.second.dataSync()), [2, 4]);
  tf.dispose([result.same, result.nested.second]);
  assert.equal(tf.memory().numTensors, before);
});

Deno.test("compile() frees what a failing program made", () => {
  const before = tf.memory().numTensors, a = tf.scalar(1);
  const compiled = engine.compile((inputs: { a: tf.Tensor }): TensorTree => {
    tf.add(inputs.a, 1);
    throw new Error("on purpose");
  });
  assert.throws(() => compiled({ a }), /on purpose/);
  a.dispose();
  assert.equal(tf.memory().numTensors, before);
});

/** A backend that stores nothing: what another engine's tensors look like from here. */
class OtherBackend extends tf.KernelBackend {
  override write(): object {
    return {};
  }
  override disposeData(): boolean {
    return true;
  }
  override numDataIds(): number {
    return 0;
  }
  override floatPrecision(): 16 | 32 {
    return 32;
  }
  override dispose(): void {}
}

Deno.test("compile() refuses another engine's tensor and a disposed one by name, and makes itself current", async () => {
  const compiled = engine.compile((inputs: { a: { b: tf.Tensor } }) => tf.add(inputs.a.b, 1));
  tf.registerBackend("other", () => new OtherBackend());
  await tf.setBackend("other");
  const foreign = tf.scalar(1);
  assert.throws(() => compiled({ a: { b: foreign } }), /input "a\/b" as it is a tensor of another engine/);
  assert.equal(tf.getBackend(), "wasm");
  foreign.dispose();
  tf.removeBackend("other");
  const own = tf.scalar(1);
  own.dispose();
  assert.throws(() => compiled({ a: { b: own } }), /input "a\/b" as it was disposed/);
});
