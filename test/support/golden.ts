/** Reads what test/golden/make_golden.py wrote. */
import type { TensorData } from "../../src/nn/initialise.ts";

const FOLDER = new URL("../golden/", import.meta.url);

/** A JSON file of golden values. */
export function goldenJson<Shape>(name: string): Shape {
  return JSON.parse(Deno.readTextFileSync(new URL(name, FOLDER)));
}

/** One training step of a small network, as PyTorch float64 has it. */
export interface GoldenStep {
  readonly bits: number;
  readonly labels: number[];
  readonly loss: number;
  readonly images: TensorData;
  readonly params: Record<string, TensorData>;
  readonly gradients: Record<string, TensorData>;
  /** What every layer gives, before batch normalisation, by layer path. */
  readonly outputs: Record<string, TensorData>;
}

/** The step of `name`.json and `name`.bin. */
export function goldenStep(name: string): GoldenStep {
  const meta = goldenJson<
    { bits: number; labels: number[]; loss: number; tensors: Record<string, { shape: number[]; offset: number }> }
  >(`${name}.json`);
  const values = new Float32Array(Deno.readFileSync(new URL(`${name}.bin`, FOLDER)).buffer);
  const tensor = (path: string): TensorData => {
    const { shape, offset } = meta.tensors[path]!;
    return { shape, values: values.slice(offset, offset + shape.reduce((product, dim) => product * dim, 1)) };
  };
  const under = (prefix: string) =>
    Object.fromEntries(
      Object.keys(meta.tensors).filter((path) => path.startsWith(prefix))
        .map((path) => [path.slice(prefix.length), tensor(path)]),
    );
  return {
    ...meta,
    images: tensor("images"),
    params: under("params/"),
    gradients: under("gradients/"),
    outputs: under("outputs/"),
  };
}

/** ‖a - b‖ / ‖b‖ */
export function relativeDistance(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) throw new Error(`lengths ${actual.length} and ${expected.length} differ`);
  let distance = 0, norm = 0;
  for (let i = 0; i < expected.length; i++) {
    distance += (actual[i]! - expected[i]!) ** 2;
    norm += expected[i]! ** 2;
  }
  return Math.sqrt(distance) / (Math.sqrt(norm) || 1);
}
