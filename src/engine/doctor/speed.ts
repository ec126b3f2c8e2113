/** The speed of a convolution on an engine. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Engine, TensorTree } from "../types.ts";

/** Speed of one operation. */
export interface SpeedCheck {
  readonly what: string;
  readonly gigaflopsPerSecond: number;
}

/** Convolution of 64 images 16 x 16 x 32 by 32 filters 3 x 3, forward and with both gradients. */
export async function measureSpeed(engine: Engine): Promise<SpeedCheck[]> {
  const x = tf.ones([64, 16, 16, 32]), filter = tf.ones([3, 3, 32, 32]), flops = 2 * 64 * 16 * 16 * 32 * 32 * 9;
  const f = (x: Tensor, filter: Tensor) => tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 1, "same");
  const forward = (inputs: TensorTree) => {
    const { x, filter } = inputs as Record<string, Tensor>;
    return { y: f(x!, filter!) };
  };
  const training = (inputs: TensorTree) => {
    const { x, filter } = inputs as Record<string, Tensor>,
      { value, grads } = tf.valueAndGrads(f)([x!, filter!], x as tf.Tensor4D);
    return { y: value, dx: grads[0]!, dfilter: grads[1]! };
  };
  const seconds = [await fastest(engine, forward, { x, filter }), await fastest(engine, training, { x, filter })];
  tf.dispose([x, filter]);
  return [
    { what: "convolution, forward", gigaflopsPerSecond: flops / seconds[0]! / 1e9 },
    { what: "convolution, forward and gradients", gigaflopsPerSecond: 3 * flops / seconds[1]! / 1e9 },
  ];
}

/** Seconds of the fastest of a few runs. */
async function fastest(
  engine: Engine,
  program: (inputs: TensorTree) => TensorTree,
  inputs: Record<string, Tensor>,
): Promise<number> {
  const compiled = engine.compile(program);
  let best = Infinity;
  for (let round = 0; round < 8; round++) {
    const start = performance.now(), outputs = compiled(inputs) as Record<string, Tensor>;
    await Object.values(outputs).at(-1)!.data(); // on a GPU a call returns before it is done
    best = Math.min(best, (performance.now() - start) / 1000);
    tf.dispose(outputs);
  }
  compiled.dispose();
  return best;
}
