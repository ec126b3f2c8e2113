import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { openEngine } from "../../src/engine/mod.ts";
import { uniformPerturbation } from "../../src/engine/ops.ts";
import type { Engine } from "../../src/engine/types.ts";
import { ENGINES } from "../support/engines.ts";

type Named = Record<string, Tensor>;

const engine = ENGINES.includes("tensorflow") ? await openEngine("tensorflow") : null;

/** Registers a test; whatever it provokes, the engine must compute afterwards, eagerly and recorded, and have lost nothing. */
function test(name: string, body: (engine: Engine) => void | Promise<void>): void {
  Deno.test({
    name,
    ignore: engine === null,
    async fn() {
      await tf.setBackend("tensorflow");
      const before = alive();
      await body(engine!);
      await tf.setBackend("tensorflow");
      const x = tf.tensor1d([1, 2]), eager = tf.add(x, 1), compiled = engine!.compile(addOne), { y } = compiled({ x });
      assert.deepEqual([Array.from(eager.dataSync()), Array.from(y.dataSync())], [[2, 3], [2, 3]]);
      tf.dispose([x, eager, y]);
      compiled.dispose();
      assert.deepEqual(alive(), before);
    },
  });
}

function addOne({ x }: { x: Tensor }): { y: Tensor } {
  return { y: tf.add(x, 1) };
}

function alive(): number[] {
  const { binding } = tf.backend() as unknown as { binding: { getNumOfTensors(): number } };
  return [tf.memory().numTensors, binding.getNumOfTensors()];
}

/** [2, 3] times [4, 5], past the check that tfjs makes itself. */
function mismatched({ a, b }: Named): Named {
  const attrs = { transposeA: false, transposeB: false };
  return { y: tf.engine().runKernel("BatchMatMul", { a: a!, b: b! }, attrs) as Tensor };
}

test("an op that fails names itself and its inputs' shapes, eagerly and while it is recorded", (engine) => {
  const inputs = { a: tf.ones([2, 3]), b: tf.ones([4, 5]) }, compiled = engine.compile(mismatched);
  const what = /^Error: TensorFlow failed in BatchMatMulV2\(\[2,3\], \[4,5\]\): /;
  assert.throws(() => mismatched(inputs), (error) => {
    assert.match(String(error), what);
    assert.match(String(error), /Matrix size-incompatible: In\[0\]: \[2,3\], In\[1\]: \[4,5\]/);
    return true;
  });
  for (let round = 0; round < 2; round++) {
    assert.throws(() => compiled(inputs), (error) => {
      assert.match(String(error), what);
      assert.match(String(error), /Dimensions must be equal, but are 3 and 4/);
      return true;
    });
  }
  tf.dispose(Object.values(inputs));
});

test("an op that fails inside a recorded program is named by the error", (engine) => {
  // shapes fit, so it is recorded; that row 9 of 2 is not there is only seen when it runs
  const compiled = engine.compile(({ at, rows }: Named) => ({
    y: tf.scatterND(at! as tf.Tensor2D, rows!, [2, 3]),
  }));
  const at = tf.tensor2d([[0], [1]], [2, 1], "int32"), off = tf.tensor2d([[0], [9]], [2, 1], "int32");
  const rows = tf.ones([2, 3]), { y } = compiled({ at, rows });
  assert.deepEqual(Array.from(y.dataSync()), [1, 1, 1, 1, 1, 1]);
  assert.throws(
    () => compiled({ at: off, rows }),
    /^Error: TensorFlow failed in requant_\d+\(\[2,1\], \[2,3\]\): .*indices\[1\] = \[9\] does not index into .*ScatterNd_\d/s,
  );
  tf.dispose([at, off, rows, y]);
  compiled.dispose();
});

test("noise that is neither off nor on fails instead of being wrong", (engine) => {
  const compiled = engine.compile(({ x, state, active }: Named) => ({
    y: uniformPerturbation(x!, { state: state!, stream: 0, active: active! }),
  }));
  const x = tf.ones([2, 3]), state = tf.zeros([6], "int32"), active = tf.scalar(2);
  assert.throws(() => compiled({ x, state, active }), /TensorFlow failed in requant_\d+.*AddV2_\d+/s);
  tf.dispose([x, state, active]);
  compiled.dispose();
});

test("reading a value inside a program that is being recorded is refused", (engine) => {
  const compiled = engine.compile(({ x }: { x: Tensor }) => ({ y: tf.mul(x, x.dataSync()[0]!) })), x = tf.ones([2]);
  assert.throws(() => compiled({ x }), {
    message:
      "Cannot read the value of a tensor inside a program as it is being recorded: return it from the program instead",
  });
  x.dispose();
});

test("running a compiled program inside a program is refused, recorded before or not", (engine) => {
  const inner = engine.compile(addOne), outer = engine.compile(({ x }: { x: Tensor }) => inner({ x }));
  const x = tf.ones([2]),
    refused = {
      message: "Cannot run a compiled program inside a program as it is being recorded: call the plain function",
    };
  assert.throws(() => outer({ x }), refused);
  const { y } = inner({ x });
  assert.throws(() => outer({ x }), refused);
  tf.dispose([x, y]);
  inner.dispose();
});

test("compile() refuses an output whose shape depends on values, and goes on with other programs", (engine) => {
  const x = tf.tensor1d([1, 1, 2]), before = tf.memory().numTensors;
  const compiled = engine.compile(({ x }: { x: Tensor }) => ({ deep: { values: tf.unique(x).values } }));
  assert.throws(() => compiled({ x }), {
    message: 'Cannot compile a program as the shape of output "deep/values" must be known before it runs: current ' +
      "value is [-1]; return a tensor whose shape does not depend on values",
  });
  const bare = engine.compile(({ x }: { x: Tensor }) => tf.unique(x).values);
  assert.throws(() => bare({ x }), /the shape of its output must be known/);
  assert.equal(tf.memory().numTensors, before);
  // inside, such a tensor may be met
  const sum = engine.compile(({ x }: { x: Tensor }) => tf.sum(tf.unique(x).values)), total = sum({ x });
  assert.equal(total.dataSync()[0], 3);
  tf.dispose([x, total]);
  for (const each of [compiled, bare, sum]) each.dispose();
});

test("a tensor that outlives its recording has no value and says so", (engine) => {
  let escaped: Tensor | undefined;
  const compiled = engine.compile(({ x }: { x: Tensor }) => {
    escaped = tf.keep(tf.add(x, 1));
    return { y: x };
  });
  const x = tf.ones([2]), { y } = compiled({ x });
  assert.throws(() => tf.mul(escaped!, 2), /^Error: Cannot run Mul as an input belongs to a recording that has ended$/);
  const other = engine.compile(() => ({ y: tf.mul(escaped!, 2) }));
  assert.throws(() => other({}), /^Error: Cannot use a tensor of another recording inside a program$/);
  tf.dispose([x, y, escaped!]);
  compiled.dispose();
});

test("a tensor of the other engine is refused by name, in both directions", async (engine) => {
  const wasm = await openEngine("wasm");
  const program = ({ deep }: { deep: { x: Tensor } }) => ({ y: tf.add(deep.x, 1) });
  const onWasm = wasm.compile(program), onTensorFlow = engine.compile(program);
  const foreign = tf.tensor1d([1, 2]); // wasm is current
  const refused = {
    message: 'Cannot run a program with input "deep/x" as it is a tensor of another engine: ' +
      "make it while this engine is the current one",
  };
  assert.throws(() => onTensorFlow({ deep: { x: foreign } }), refused);
  assert.equal(tf.getBackend(), "tensorflow");
  const own = tf.tensor1d([1, 2]);
  assert.throws(() => onWasm({ deep: { x: own } }), refused);
  assert.equal(tf.getBackend(), "wasm");
  const results = [onWasm({ deep: { x: foreign } }).y, onTensorFlow({ deep: { x: own } }).y];
  for (const y of results) assert.deepEqual(Array.from(y.dataSync()), [2, 3]);
  tf.dispose([foreign, own, ...results]);
  onWasm.dispose();
  onTensorFlow.dispose();
});

test("a disposed tensor is refused by name, even where a clone shares its data", (engine) => {
  const compiled = engine.compile(addOne), gone = tf.ones([2]), cloned = tf.ones([2]), clone = tf.clone(cloned);
  tf.dispose([gone, cloned]);
  for (const x of [gone, cloned]) {
    assert.throws(() => compiled({ x }), /^Error: Cannot run a program with input "x" as it was disposed: /);
  }
  const { y } = compiled({ x: clone });
  assert.deepEqual(Array.from(y.dataSync()), [2, 2]);
  tf.dispose([clone, y]);
  compiled.dispose();
});

test("openEngine() makes an engine current again, and opens each once", async (engine) => {
  await openEngine("wasm");
  assert.equal(tf.getBackend(), "wasm");
  assert.equal(await openEngine("tensorflow"), engine);
  assert.equal(tf.getBackend(), "tensorflow");
  assert.equal(await openEngine("tensorflow", { threads: 1 }), engine);
  assert.deepEqual([engine.name, engine.threads], ["tensorflow", 1]);
  assert.match(engine.description, /^libtensorflow 2\.21\.\d+ \(.+\), (CPU|GPU), 1 thread$/);
  assert.match(engine.versions["libtensorflow"]!, /^2\.21\.\d+$/);
});
