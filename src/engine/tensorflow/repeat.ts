/** Many steps in one call: a loop of TensorFlow's whose body is the recorded step. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { flatten, mapTree } from "../../tree.ts";
import type { Repeated, RepeatOptions, StepProgram, TensorTree } from "../types.ts";
import {
  newName,
  outputsOf,
  type Parts,
  placeholders,
  type Recorded,
  recording,
  recordingOptions,
  Recordings,
  structureOf,
} from "./compile.ts";
import type { RecordingOptions } from "./recorder.ts";

/** Inputs of a loop. */
type LoopInputs<Carried extends TensorTree, Fixed extends TensorTree, Each extends TensorTree> = {
  readonly carried: Carried;
  readonly fixed: Fixed;
  readonly each: Each;
  /** int32 scalar. */
  readonly count: Tensor;
};

/** See `Loops.repeat`. The number of steps is an input of the loop: any number of them is computed by the same program. */
export function repeat<
  Carried extends TensorTree,
  Fixed extends TensorTree,
  Each extends TensorTree,
  Out extends TensorTree,
>(
  parts: Parts,
  step: StepProgram<Carried, Fixed, Each, Out>,
  { most, ...options }: RepeatOptions,
): Repeated<Carried, Fixed, Each, Out> {
  const recordings = new Recordings(
    parts,
    2,
    (inputs: LoopInputs<Carried, Fixed, Each>) =>
      record(parts, step, { inputs, most, how: recordingOptions(parts, options) }),
  );
  const call = async (inputs: { carried: Carried; fixed: Fixed; each: Each }, steps: number) => {
    if (!(Number.isInteger(steps) && steps >= 1 && steps <= most)) {
      throw new RangeError(`Cannot run ${steps} steps in one call as it takes 1 to ${most}`);
    }
    const count = tf.scalar(steps, "int32");
    try {
      const { recorded, ids } = recordings.prepare({ ...inputs, count });
      const results = await parts.binding.runInBackground(recorded.names[0], { inputs: ids, known: recorded.outputs });
      return recordings.results(recorded, results) as { carried: Carried; outputs: Out };
    } finally {
      count.dispose();
    }
  };
  return Object.assign(call, { dispose: () => recordings.dispose() });
}

function record<Carried extends TensorTree, Fixed extends TensorTree, Each extends TensorTree, Out extends TensorTree>(
  parts: Parts,
  step: StepProgram<Carried, Fixed, Each, Out>,
  { inputs: { count, ...given }, most, how }: {
    readonly inputs: LoopInputs<Carried, Fixed, Each>;
    readonly most: number;
    readonly how: RecordingOptions;
  },
): Recorded {
  const { binding, backend } = parts, name = newName(), body = `${name}_body`, condition = `${name}_condition`;
  const scalars = { index: count, count };
  const structure = recording(parts, how, () => {
    const at = placeholders(parts, scalars), now = placeholders(parts, given), { index } = at.tree;
    const { carried, fixed, each } = now.tree;
    const result = step({
      carried,
      fixed,
      each: mapTree<Tensor, Tensor>(each, (tensor) => tf.gather(tensor, index)) as Each,
    });
    requireSame(given.carried, result.carried);
    const outputs = flatten<Tensor>(result.outputs);
    for (const [path, { size }] of outputs) {
      if (size !== 1) {
        throw new Error(`Cannot repeat a step as its output "${path}" has ${size} values: return scalars`);
      }
    }
    const isNow = tf.equal(tf.tensor1d(Int32Array.from({ length: most }, (_, i) => i), "int32"), index);
    const before = placeholders(parts, Object.fromEntries(outputs.map(([path]) => [path, tf.zeros([most])])));
    const after = outputs.map(([path, value]) => tf.where(isNow, value, before.tree[path]!));
    binding.define(body, {
      inputs: [...at.ids, ...now.ids, ...before.ids],
      outputs: [
        ...outputsOf(parts, { index: tf.add(index, tf.scalar(1, "int32")), count: at.tree.count }).ids,
        ...outputsOf(parts, { carried: result.carried, fixed, each }).ids,
        ...backend.getInputTensorIds(after),
      ],
      isPart: true,
    });
    return { carried: structureOf(result.carried), outputs: structureOf(result.outputs) };
  });
  const metrics = flatten(structure.outputs).map(([path]) => path);
  const empty = () => Object.fromEntries(metrics.map((path) => [path, tf.zeros([most])]));
  recording(parts, how, () => {
    const at = placeholders(parts, scalars), now = placeholders(parts, given), before = placeholders(parts, empty());
    const { ids } = outputsOf(parts, tf.less(at.tree.index, at.tree.count));
    binding.define(condition, { inputs: [...at.ids, ...now.ids, ...before.ids], outputs: ids, isPart: true });
  });
  return recording(parts, how, () => {
    const { tree, ids: inputs } = placeholders(parts, { ...given, count });
    const { count: steps, ...rest } = tree, start = { count: steps, index: tf.scalar(0, "int32") };
    const values = [start, rest, empty()].flatMap((part) => outputsOf(parts, part as TensorTree).ids);
    const ended = binding.loop(values, { condition, body }).map((output) => backend.createOutputTensor(output));
    // `ended` is count, index, carried, each, fixed, metrics: paths are sorted
    const carried = flatten(given.carried).length, first = 2, last = ended.length - metrics.length;
    const { ids, outputs } = outputsOf(
      parts,
      Object.fromEntries(
        [...ended.slice(first, first + carried), ...ended.slice(last)].map((
          tensor,
          i,
        ) => [String(i).padStart(6, "0"), tensor]),
      ),
    );
    binding.define(name, { inputs, outputs: ids });
    return { names: [name, body, condition] as const, outputs, structure };
  });
}

/** @throws {Error} If a step does not give back what it was given: the next one could not take it. */
function requireSame(given: TensorTree, got: TensorTree): void {
  const describe = (tree: TensorTree) =>
    flatten<Tensor>(tree).map(([path, { shape, dtype }]) => `${path} ${dtype}[${shape}]`);
  const expected = describe(given), found = describe(got), at = expected.findIndex((leaf, i) => leaf !== found[i]);
  if (at < 0 && found.length === expected.length) return;
  const text = (leaf: string | undefined) => leaf?.replaceAll("\u0000", "/") ?? "nothing";
  const i = at < 0 ? expected.length : at;
  throw new Error(`Cannot repeat a step as it takes ${text(expected[i])} and gives ${text(found[i])}: give the same`);
}
