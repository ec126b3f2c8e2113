import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { valueAndGradients } from "../../src/train/gradients.ts";
import { testOnEngines } from "../support/engines.ts";

type Named = Record<string, Tensor>;

/** loss = sum a^2 b; beside it a b, a itself, and a number. */
function program(params: Named) {
  return valueAndGradients(params, ({ a, b }) => {
    const product = tf.mul(a!, b!);
    return { loss: tf.sum(tf.mul(product, a!)), aux: { product, nested: { same: a!, two: tf.scalar(2) } } };
  });
}

testOnEngines("valueAndGradients() gives loss, gradients by name, and what the loss made beside it", (engine) => {
  const before = tf.memory().numTensors, params = { b: tf.tensor1d([5, 7]), a: tf.tensor1d([2, 3]) };
  const compiled = engine.compile((params: Named) => ({ ...program(params) }));
  for (const run of [program, compiled]) {
    const { loss, gradients, aux } = tf.tidy(() =>
      run(params) as unknown as tf.TensorContainer
    ) as unknown as ReturnType<typeof program>;
    assert.equal(loss.dataSync()[0], 4 * 5 + 9 * 7);
    assert.deepEqual(Object.keys(gradients), ["a", "b"]);
    assert.deepEqual(Array.from(gradients["a"]!.dataSync()), [2 * 2 * 5, 2 * 3 * 7]);
    assert.deepEqual(Array.from(gradients["b"]!.dataSync()), [4, 9]);
    assert.deepEqual(Array.from(aux.product.dataSync()), [10, 21]);
    assert.deepEqual(Array.from(aux.nested.same.dataSync()), [2, 3]);
    assert.equal(aux.nested.two.dataSync()[0], 2);
    tf.dispose([loss, gradients, aux] as unknown as Tensor[]);
  }
  assert.deepEqual(Array.from(params.a.dataSync()), [2, 3]); // the caller's, still there
  tf.dispose(params);
  compiled.dispose();
  assert.equal(tf.memory().numTensors, before);
});

testOnEngines("valueAndGradients() names the parameters that the loss does not depend on", (engine) => {
  const before = tf.memory().numTensors;
  const params = { w: tf.scalar(2), "stem/gamma": tf.scalar(1), z: tf.scalar(3) };
  const forgetful = (params: Named) =>
    valueAndGradients(params, ({ w, z }) => ({ loss: tf.square(w!), aux: { z: tf.square(z!) } }));
  const refused = {
    message: 'Cannot train "stem/gamma", "z" as the loss does not depend on it: ' +
      "leave it out of the parameters, or use it in the loss",
  };
  const compiled = engine.compile((params: Named) => ({ ...forgetful(params) }));
  assert.throws(() => tf.tidy(() => forgetful(params) as unknown as tf.TensorContainer), refused);
  assert.throws(() => compiled(params), refused);
  const constant = () => valueAndGradients(params, () => ({ loss: tf.scalar(1), aux: {} }));
  assert.throws(
    () => tf.tidy(() => constant() as unknown as tf.TensorContainer),
    /^Error: Cannot train "stem\/gamma", "w", "z" as/,
  );
  tf.dispose(params);
  compiled.dispose();
  assert.equal(tf.memory().numTensors, before);
});

testOnEngines("valueAndGradients() passes on what the loss throws, and works afterwards", () => {
  const params = { a: tf.tensor1d([2]), b: tf.tensor1d([5]) };
  assert.throws(
    () =>
      tf.tidy(() =>
        valueAndGradients(params, ({ a }) => {
          tf.square(a!);
          throw new RangeError("on purpose");
        }) as unknown as tf.TensorContainer
      ),
    /^RangeError: on purpose$/,
  );
  const { gradients } = tf.tidy(() => program(params) as unknown as tf.TensorContainer) as unknown as {
    gradients: Named;
  };
  assert.deepEqual(Array.from(gradients["a"]!.dataSync()), [20]);
  tf.dispose([params, gradients] as unknown as Tensor[]);
});

testOnEngines("valueAndGradients() says what a gradient function may read, where it reads what tfjs freed", () => {
  const params = { a: tf.tensor1d([2, 3]) };
  const gated = (saves: boolean) => () =>
    valueAndGradients(params, ({ a }) => {
      const open = tf.sub(1, tf.scalar(0.5));
      const gate = tf.customGrad((...args: unknown[]) => {
        const [x, save] = args as [Tensor, (tensors: Tensor[]) => void];
        if (saves) save([open]);
        const gradFunc = (dy: Tensor, saved: Tensor[]) => tf.mul(dy, saves ? saved[0]! : open);
        return { value: tf.clone(x), gradFunc };
      });
      return { loss: tf.sum(gate(a!)), aux: {} };
    }) as unknown as tf.TensorContainer;
  assert.throws(() => tf.tidy(gated(false)), {
    name: "Error",
    message: "Cannot compute gradients as a gradient function reads a tensor that tfjs freed when the loss returned: " +
      "let it read only dy and what it gave to `save`",
  });
  const { gradients } = tf.tidy(gated(true)) as unknown as { gradients: Named };
  assert.deepEqual(Array.from(gradients["a"]!.dataSync()), [0.5, 0.5]);
  tf.dispose([params, gradients] as unknown as Tensor[]);
});
