/**
 * The operations of a model's own forward pass, so that a model needs no second description to be exported.
 *
 * Every tfjs op ends in `engine().runKernel`. While a pass runs, each call that depends on the images is noted there; what
 * depends on parameters alone is computed by the engine and becomes a constant.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { NamedAttrMap, NamedTensorMap, Tensor } from "@tensorflow/tfjs-core";

/** An operand that does not depend on the images. */
export interface Constant {
  readonly shape: readonly number[];
  readonly values: Float32Array;
  /** Paths of the parameters and running statistics that it is computed from. */
  readonly paths: readonly string[];
}

/** An operand: a constant, or the result of the operation of that index. */
export type Operand = Constant | number;

/** One call of a tfjs kernel. */
export interface Operation {
  readonly kernel: string;
  readonly inputs: Readonly<Record<string, Operand>>;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Shape of the result; the first dimension is the batch. */
  readonly shape: readonly number[];
}

/** A traced pass; the operation at index 0 has no inputs and stands for the images. */
export interface Trace {
  readonly operations: readonly Operation[];
  /** Index of the operation that gives the result. */
  readonly result: number;
}

/** The name of the operation that stands for the images. */
export const IMAGES = "images";

/**
 * Runs `program` on `images` and notes what it calls.
 * @param named Parameters and running statistics by path.
 */
export function trace(
  program: (images: Tensor) => Tensor,
  { images, named }: { images: Tensor; named: Readonly<Record<string, Tensor>> },
): Trace {
  const engine = tf.engine(), runKernel = engine.runKernel;
  const operations: Operation[] = [{ kernel: IMAGES, inputs: {}, attributes: {}, shape: images.shape }];
  const indices = new Map<number, number>([[images.id, 0]]);
  const sources = new Map<number, readonly string[]>(
    Object.entries(named).map(([path, tensor]) => [tensor.id, [path]]),
  );
  let depth = 0; // a kernel may be made of others: only the outermost call is noted

  function note(kernel: string, inputs: NamedTensorMap, attributes: NamedAttrMap | undefined, result: Tensor): void {
    const given = Object.entries(inputs ?? {}).filter(([, tensor]) => tensor);
    if (!given.some(([, tensor]) => indices.has(tensor.id))) {
      sources.set(result.id, [...new Set(given.flatMap(([, tensor]) => sources.get(tensor.id) ?? []))]);
      return;
    }
    const operands = given.map((
      [name, tensor],
    ): [string, Operand] => [name, indices.get(tensor.id) ?? constant(tensor)]);
    indices.set(result.id, operations.length);
    operations.push({
      kernel,
      inputs: Object.fromEntries(operands),
      attributes: { ...attributes },
      shape: result.shape,
    });
  }

  function constant(tensor: Tensor): Constant {
    depth++; // reading a value must not be noted
    const values = Float32Array.from(tensor.dataSync());
    depth--;
    return { shape: tensor.shape, values, paths: sources.get(tensor.id) ?? [] };
  }

  let result: number | undefined;
  tf.tidy(() => {
    engine.runKernel = ((kernel: string, inputs: NamedTensorMap, attributes?: NamedAttrMap) => {
      depth++;
      let made: Tensor | Tensor[];
      try {
        made = runKernel.call(engine, kernel, inputs, attributes) as Tensor | Tensor[];
      } finally {
        depth--;
      }
      if (depth === 0) note(kernel, inputs, attributes, Array.isArray(made) ? made[0]! : made);
      return made;
    }) as typeof engine.runKernel;
    try {
      result = indices.get(program(images).id);
    } finally {
      engine.runKernel = runKernel;
    }
  });
  if (result === undefined) throw new Error("Cannot trace a program whose result does not depend on its images");
  return { operations, result };
}
