/** Programs recorded into TensorFlow functions. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { flatten, mapTree } from "../../tree.ts";
import type { Compiled, CompileOptions, Precision, Program, TensorTree } from "../types.ts";
import type { Binding } from "./binding.ts";
import type { NodeBackend } from "./chain.ts";
import { requireOwn } from "../own_tensor.ts";
import type { RecordingOptions } from "./recorder.ts";

export const BACKEND = "tensorflow";

/** A recorded program: its functions, the one that is called first, and its outputs. */
export interface Recorded {
  readonly names: readonly [string, ...string[]];
  readonly outputs: readonly { shape: number[]; dtype: number }[];
  readonly structure: TensorTree;
}

/** Parts of the engine. */
export interface Parts {
  readonly binding: Binding;
  readonly backend: NodeBackend;
  readonly device: "cpu" | "gpu";
  readonly precision: Precision;
}

/** Fills in the options of a recording: XLA on a GPU, and the engine's precision. */
export function recordingOptions(
  { device, precision }: Parts,
  options: Pick<CompileOptions, "xla" | "precision" | "float32">,
): RecordingOptions {
  return {
    xla: options.xla ?? device === "gpu",
    tf32: (options.precision ?? precision) === "tf32",
    float32: options.float32,
  };
}

let functions = 0;

/** A name for a function. */
export function newName(): string {
  return `requant_${functions++}`;
}

/** The fast form of a program. */
export function compile<In extends TensorTree, Out extends TensorTree>(
  parts: Parts,
  program: Program<In, Out>,
  options: CompileOptions,
): Compiled<In, Out> {
  const { binding } = parts, how = recordingOptions(parts, options);
  const recordings = new Recordings<In>(
    parts,
    options.signatures ?? 8,
    (inputs) => record(parts, program, { ...how, inputs }),
  );
  const call = (inputs: In): Out => {
    const { recorded, ids } = recordings.prepare(inputs), { outputs } = recorded;
    return recordings.results(
      recorded,
      binding.run(recorded.names[0], [], { inputs: ids, outputs: outputs.length, known: outputs }),
    ) as Out;
  };
  return Object.assign(call, { dispose: () => recordings.dispose() });
}

/** The recordings of a program, one per signature. */
export class Recordings<In extends TensorTree> {
  readonly #parts: Parts;
  readonly #limit: number;
  readonly #record: (inputs: In) => Recorded;
  readonly #cache = new Map<string, Recorded>();

  /** @throws {RangeError} If `limit` is below 1. */
  constructor(parts: Parts, limit: number, record: (inputs: In) => Recorded) {
    if (!(limit >= 1)) {
      throw new RangeError(`Cannot compile a program as signatures must be at least 1: current value is ${limit}`);
    }
    this.#parts = parts;
    this.#limit = limit;
    this.#record = record;
  }

  /** The recording for inputs of this signature, and the ids of its leaves. */
  prepare(inputs: In): { readonly recorded: Recorded; readonly ids: readonly number[] } {
    const { binding, backend } = this.#parts, leaves = flatten<Tensor>(inputs);
    binding.requireNoRecording();
    if (tf.getBackend() !== BACKEND) void tf.setBackend(BACKEND);
    for (const [path, tensor] of leaves) requireOwn(tensor, path, backend as unknown as tf.KernelBackend);
    const recorded = this.#recordedFor(inputs);
    return { recorded, ids: backend.getInputTensorIds(leaves.map(([, tensor]) => tensor)) };
  }

  #recordedFor(inputs: In): Recorded {
    // the whole structure, as a node without leaves is part of it
    const signature = JSON.stringify(
      mapTree<Tensor, string>(
        inputs,
        ({ dataId, shape }) => `${this.#parts.backend.tensorMap.get(dataId).dtype}[${shape}]`,
      ),
    );
    let recorded = this.#cache.get(signature);
    if (recorded) this.#cache.delete(signature);
    else recorded = this.#record(inputs);
    this.#cache.set(signature, recorded);
    if (this.#cache.size > this.#limit) {
      const [oldest, least] = this.#cache.entries().next().value!;
      this.#cache.delete(oldest);
      this.#forget(least);
    }
    return recorded;
  }

  #forget({ names }: Recorded): void {
    for (const name of names) this.#parts.binding.undefine(name);
  }

  /** The outputs of a call as a tree. */
  results({ structure }: Recorded, results: readonly { id: number; shape: number[]; dtype: number }[]): TensorTree {
    let next = 0;
    return mapTree(structure, () => this.#parts.backend.createOutputTensor(results[next++]!));
  }

  dispose(): void {
    for (const recorded of this.#cache.values()) this.#forget(recorded);
    this.#cache.clear();
  }
}

/** Refuses a shape that depends on values: TensorFlow gives -1 for it while recording. */
function requireKnownShape({ shape }: Tensor, path: string): void {
  if (shape.every((size) => size >= 0)) return;
  const output = path === "" ? "its output" : `output "${path.replaceAll("\u0000", "/")}"`;
  throw new Error(
    `Cannot compile a program as the shape of ${output} must be known before it runs: current value is [${shape}]; ` +
      "return a tensor whose shape does not depend on values",
  );
}

/** Records what `body` does, and forgets all of its tensors. */
export function recording<Result>({ binding }: Parts, options: RecordingOptions, body: () => Result): Result {
  binding.startRecording(options);
  try {
    return tf.tidy(body as () => never) as Result;
  } finally {
    binding.stopRecording();
  }
}

/** The inputs of the function that is being recorded, with their ids in order. */
export function placeholders<In extends TensorTree>(
  { binding, backend }: Parts,
  inputs: In,
): { readonly tree: In; readonly ids: readonly number[] } {
  const ids: number[] = [];
  const tree = mapTree(inputs as TensorTree, (tensor, path) => {
    const placeholder = binding.placeholder(tensor.shape, backend.tensorMap.get(tensor.dataId).dtype, path);
    ids.push(placeholder.id);
    return backend.createOutputTensor(placeholder);
  }) as In;
  return { tree, ids };
}

/** The ids, shapes and dtypes of a program's outputs. */
export function outputsOf(
  { backend }: Parts,
  structure: TensorTree,
): { readonly ids: readonly number[]; readonly outputs: Recorded["outputs"] } {
  const results = flatten<Tensor>(structure), tensors = results.map(([, tensor]) => tensor);
  for (const [path, tensor] of results) requireKnownShape(tensor, path);
  return {
    ids: backend.getInputTensorIds(tensors),
    outputs: tensors.map(({ dataId, shape }) => ({ shape, dtype: backend.tensorMap.get(dataId).dtype })),
  };
}

/** A tree without its tensors. */
export function structureOf(tree: TensorTree): TensorTree {
  return mapTree<Tensor, null>(tree, () => null) as unknown as TensorTree;
}

/** Runs the program once with placeholders, recording every kernel call. */
function record<In extends TensorTree, Out extends TensorTree>(
  parts: Parts,
  program: Program<In, Out>,
  how: RecordingOptions & { readonly inputs: In },
): Recorded {
  const name = newName();
  return recording(parts, how, () => {
    const { tree, ids: inputs } = placeholders(parts, how.inputs), structure = program(tree);
    const { ids, outputs } = outputsOf(parts, structure);
    parts.binding.define(name, { inputs, outputs: ids });
    return { names: [name], outputs, structure: structureOf(structure) };
  });
}
