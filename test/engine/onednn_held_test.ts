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

for (const size of [8192, 8193]) {
  test(`a program may write over the inputs that it consumes, and over nothing else [${size}]`, (engine) => {
    /** As a training step: two large tensors and a small one, and one that is only read. */
    const step = ({ own: { a, b, c }, x }: { own: Named; x: Tensor }) => {
      const next = tf.add(tf.mul(a!, 0.5), x);
      return { own: { a: next, b: tf.sub(b!, tf.mul(next, 0.25)), c: tf.add(c!, 1) }, sum: tf.sum(b!) };
    };
    const program = engine.compile(step as never, { consumes: ["own"] }) as unknown as typeof step;
    const xs = [1, 2].map((value) => tf.fill([size], value));
    const values = ({ a, b, c }: Named) =>
      [a!, b!, c!].map((tensor) => tensor.dataSync()[size - 1] ?? tensor.dataSync()[0]!);
    const start = (): Named => ({ a: tf.fill([size], 4), b: tf.fill([size], 8), c: tf.scalar(0) });
    const action = fc.record({
      x: fc.nat(1),
      read: fc.boolean(),
      /** Inputs in the place of others: the first two the other way round, or those of the other chain. */
      swap: fc.boolean(),
      other: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(action, { minLength: 2, maxLength: 12 }), (actions) => {
        const chains = [0, 1].map(() => ({ own: start(), expected: [4, 8, 0] }));
        for (const { x, read, swap, other } of actions) {
          const chain = chains[other ? 1 : 0]!;
          if (swap) {
            chain.own = { ...chain.own, a: chain.own["b"]!, b: chain.own["a"]! };
            chain.expected = [chain.expected[1]!, chain.expected[0]!, chain.expected[2]!];
          }
          const { own, sum } = program({ own: chain.own, x: xs[x]! }),
            [a, b, c] = chain.expected as [number, number, number];
          assert.equal(sum.dataSync()[0], Math.fround(size * b));
          tf.dispose([chain.own as never, sum]);
          const next = Math.fround(a * 0.5 + x + 1);
          chain.own = own;
          chain.expected = [next, Math.fround(b - Math.fround(next * 0.25)), c + 1];
          if (read) assert.deepEqual(values(own), chain.expected);
        }
        for (const { own, expected } of chains) assert.deepEqual(values(own), expected);
        tf.dispose(chains.map(({ own }) => own) as never);
      }),
      { numRuns: 100, seed: 1 },
    );
    tf.dispose(xs);
    (program as unknown as { dispose(): void }).dispose();
  });
}

test("a tensor that a program consumed cannot be read, but its clones", (engine) => {
  const program = engine.compile(({ x }: Named) => ({ x: tf.mul(x!, 3) }), { consumes: ["x"] });
  const first = program({ x: tf.fill([8192], 1) }), clone = tf.clone(first["x"]!);
  const other = program(first), second = program(other);
  assert.equal(clone.dataSync()[8191], 3);
  assert.throws(() => other["x"]!.dataSync(), /Cannot read a tensor that a program consumed: read it before the call/);
  assert.equal(second["x"]!.dataSync()[8191], 27);
  program.dispose();
});

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
