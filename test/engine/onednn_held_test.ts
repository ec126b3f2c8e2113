import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { openEngine } from "../../src/engine/mod.ts";
import { convolution } from "../../src/engine/ops.ts";
import type { Engine } from "../../src/engine/types.ts";
import { ENGINES } from "../support/engines.ts";
import fc from "../support/npm/fast_check.ts";

type Named = Record<string, Tensor>;

function test(name: string, body: (engine: Engine) => void): void {
  Deno.test({ name, ignore: !ENGINES.includes("onednn"), fn: async () => body(await openEngine("onednn")) });
}

const SIZE = 5;

/** A tensor, and what it must hold. */
interface Kept {
  readonly tensor: Tensor;
  readonly expected: readonly number[];
}

/** Two results of its own, and two that are its inputs. */
const mixed = ({ x, y }: Named): Named => ({
  sum: tf.add(x!, y!),
  twice: tf.mul(x!, 2),
  x: tf.clone(x!),
  y: tf.clone(y!),
});

test("a program's results keep their values, whoever reads them, in whatever order they come back as inputs", (engine) => {
  const programs = [engine.compile(mixed, { large: 1 }), engine.compile(mixed)];
  const action = fc.record({
    program: fc.nat(1),
    x: fc.nat(),
    y: fc.nat(),
    read: fc.option(fc.nat()),
    drop: fc.option(fc.nat()),
  });
  fc.assert(
    fc.property(fc.array(action, { minLength: 3, maxLength: 12 }), (actions) => {
      const fresh = (from: number): Kept => {
        const expected = Array.from({ length: SIZE }, (_, i) => from + i);
        return { tensor: tf.tensor1d(expected), expected };
      };
      const kept = [fresh(1), fresh(-3)];
      for (const { program, x, y, read, drop } of actions) {
        const [a, b] = [kept[x % kept.length]!, kept[y % kept.length]!];
        const results = programs[program]!({ x: a.tensor, y: b.tensor });
        kept.push(
          { tensor: results["sum"]!, expected: a.expected.map((value, i) => value + b.expected[i]!) },
          { tensor: results["twice"]!, expected: a.expected.map((value) => 2 * value) },
          { tensor: results["x"]!, expected: a.expected },
          { tensor: results["y"]!, expected: b.expected },
        );
        if (read !== null) check(kept[read % kept.length]!);
        if (drop !== null && kept.length > 3) kept.splice(drop % kept.length, 1)[0]!.tensor.dispose();
      }
      kept.forEach(check);
      tf.dispose(kept.map(({ tensor }) => tensor));
    }),
    { numRuns: 200, seed: 1 },
  );
  for (const program of programs) program.dispose();
});

function check({ tensor, expected }: Kept): void {
  assert.deepEqual(Array.from(tensor.dataSync()), expected);
}

test("a result outlives its program", (engine) => {
  const program = engine.compile(({ x }: Named) => ({ y: tf.mul(x!, 3) }));
  const x = tf.tensor1d([1, 2]), { y } = program({ x });
  program.dispose();
  assert.deepEqual(Array.from(y!.dataSync()), [3, 6]);
  tf.dispose([x, y!]);
});

test("an input's gradient at a small image takes in what follows it, as on a large one", (engine) => {
  const channels = 16, images = 3;
  for (const [side, stride] of [[1, 1], [2, 1], [2, 2], [4, 1]] as const) {
    const x = tf.randomNormal([images, side, side, channels], 0, 1, "float32", 1);
    const inputs = {
      x,
      gamma: tf.randomNormal([channels], 1, 0.1, "float32", 2),
      filter: tf.randomNormal([3, 3, channels, 8], 0, 0.1, "float32", 3),
      more: tf.randomNormal(x.shape, 0, 1, "float32", 4),
    };
    const program = ({ x, gamma, filter, more }: Named): Named => {
      const loss = (x: Tensor) => {
        const hidden = tf.relu(tf.mul(x, gamma!));
        const y = convolution(hidden, filter!, { stride }) as Tensor;
        return tf.add(tf.sum(tf.square(y)), tf.sum(tf.mul(tf.square(hidden), more!))) as tf.Scalar;
      };
      return { dx: tf.grad(loss)(x!) };
    };
    const [fused, plain] = [1, Infinity].map((large) => {
      const compiled = engine.compile(program, { large }), { dx } = compiled(inputs);
      compiled.dispose();
      return dx!;
    });
    const scale = tf.max(tf.abs(plain!)).dataSync()[0]!, error = tf.max(tf.abs(tf.sub(fused!, plain!))).dataSync()[0]!;
    assert.ok(scale > 0.1 && error < 1e-6 * scale, `image ${side}, stride ${stride}: ${error} of ${scale}`);
    tf.dispose([fused!, plain!, ...Object.values(inputs)]);
  }
});
