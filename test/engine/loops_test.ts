/** Many steps in one call of engine tensorflow, plain and by XLA. */
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { openEngine } from "../../src/engine/mod.ts";
import type { Loops } from "../../src/engine/types.ts";
import { ENGINES } from "../support/engines.ts";
import { useXlaFlags } from "../support/xla.ts";

type Carried = { sum: Tensor };
type Fixed = { table: Tensor };
type Each = { places: Tensor; rate: Tensor };

/** sum += rate * (the bytes of two rows); gives their total too. */
function step({ carried, fixed, each }: { carried: Carried; fixed: Fixed; each: Each }) {
  const total = tf.sum(tf.cast(tf.gather(fixed.table, each.places as tf.Tensor1D), "float32"));
  return { carried: { sum: tf.add(carried.sum, tf.mul(total, each.rate)) }, outputs: { total } };
}

const MOST = 4;

/** Rows [0, 10], [20, 30], ... [100, 110]; the last step is never made. */
function inputs(loops: Loops) {
  const places = [[0, 1], [2, 3], [5, 5], [0, 0]], rates = [1, 0.5, 0.25, 8];
  return {
    carried: { sum: tf.tensor1d([1, 2]) },
    fixed: { table: loops.bytes(Uint8Array.from({ length: 12 }, (_, i) => 10 * i), [6, 2]) },
    each: { places: tf.tensor2d(places, [MOST, 2], "int32"), rate: tf.tensor1d(rates) },
  };
}

if (ENGINES.includes("tensorflow")) {
  useXlaFlags();
  const loopsOf = async () => (await openEngine("tensorflow")).loops!;

  for (const xla of [false, true]) {
    const how = xla ? "by XLA" : "plain";

    Deno.test(`repeat() runs as many steps as it is told, each on its own inputs: ${how}`, async () => {
      const loops = await loopsOf(), repeated = loops.repeat(step, { most: MOST, xla }), given = inputs(loops);
      // 0 + 10 + 20 + 30 = 60; 40 + 50 + 60 + 70 = 220; 2 (100 + 110) = 420
      const expected = [[60], [60, 220], [60, 220, 420]], sums = [60, 60 + 110, 60 + 110 + 105];
      for (const [i, totals] of expected.entries()) {
        const { carried, outputs } = await repeated(given, i + 1);
        assert.deepEqual([...carried.sum.dataSync()], [1 + sums[i]!, 2 + sums[i]!]);
        assert.deepEqual([...outputs.total.dataSync()], [...totals, ...new Array(MOST - totals.length).fill(0)]);
        tf.dispose([carried, outputs] as unknown as Tensor[]);
      }
      repeated.dispose();
      tf.dispose(given as unknown as Tensor[]);
    });
  }

  Deno.test("repeat() keeps no tensor, and frees its functions", async () => {
    const loops = await loopsOf(), given = inputs(loops), before = tf.memory().numTensors;
    for (let i = 0; i < 3; i++) {
      const repeated = loops.repeat(step, { most: MOST });
      for (let call = 0; call < 2; call++) tf.dispose(await repeated(given, 2) as unknown as Tensor[]);
      repeated.dispose();
    }
    assert.equal(tf.memory().numTensors, before);
    tf.dispose(given as unknown as Tensor[]);
  });

  Deno.test("repeat() refuses a number of steps that it cannot make", async () => {
    const loops = await loopsOf(), repeated = loops.repeat(step, { most: MOST }), given = inputs(loops);
    for (const steps of [0, 1.5, MOST + 1]) {
      await assert.rejects(() => repeated(given, steps), {
        name: "RangeError",
        message: `Cannot run ${steps} steps in one call as it takes 1 to 4`,
      });
    }
    repeated.dispose();
    tf.dispose(given as unknown as Tensor[]);
  });

  Deno.test("repeat() refuses a step that the next one cannot follow, and outputs that are no scalars", async () => {
    const loops = await loopsOf(), given = inputs(loops);
    const longer = loops.repeat<Carried, Fixed, Each, { total: Tensor }>(({ carried: { sum }, ...rest }) => ({
      carried: { sum: tf.concat([sum as tf.Tensor1D, sum as tf.Tensor1D]) },
      outputs: step({ carried: { sum }, ...rest }).outputs,
    }), { most: MOST });
    await assert.rejects(() => longer(given, 1), {
      message: "Cannot repeat a step as it takes sum float32[2] and gives sum float32[4]: give the same",
    });
    const wide = loops.repeat<Carried, Fixed, Each, Carried>(
      ({ carried }) => ({ carried, outputs: { sum: tf.add(carried.sum, 1) } }),
      { most: MOST },
    );
    await assert.rejects(() => wide(given, 1), {
      message: 'Cannot repeat a step as its output "sum" has 2 values: return scalars',
    });
    tf.dispose(given as unknown as Tensor[]);
  });

  Deno.test("repeat() throws what TensorFlow says of a step that fails", async () => {
    const loops = await loopsOf(), repeated = loops.repeat(step, { most: MOST }), given = inputs(loops);
    const places = tf.tensor2d([[0, 6], [0, 0], [0, 0], [0, 0]], [MOST, 2], "int32");
    await assert.rejects(
      () => repeated({ ...given, each: { ...given.each, places } }, 1),
      /^Error: TensorFlow failed in requant_\d+.*indices\[1\] = 6 is not in \[0, 6\)/s,
    );
    repeated.dispose();
    tf.dispose([given, places] as unknown as Tensor[]);
  });
}
