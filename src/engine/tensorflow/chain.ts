/** Several TensorFlow ops behind one tfjs kernel. */
import type { Tensor, TensorInfo } from "@tensorflow/tfjs-core";
import type { Binding } from "./binding.ts";
import { ATTR, DTYPE, type OpAttribute } from "./runtime.ts";

/** The parts of tfjs-node's NodeJSKernelBackend that are used here. */
export interface NodeBackend {
  readonly binding: Binding;
  /** Tensors by their `dataId`; `dtype` is TensorFlow's. */
  readonly tensorMap: { get(dataId: object): { readonly dtype: number } };
  executeSingleOutput(op: string, attributes: readonly OpAttribute[], inputs: readonly TensorInfo[]): Tensor;
  executeMultipleOutputs(
    op: string,
    attributes: readonly OpAttribute[],
    inputs: readonly TensorInfo[],
    outputs: number,
  ): Tensor[];
  getInputTensorIds(tensors: readonly TensorInfo[]): number[];
  createOutputTensor(metadata: { id: number; shape: number[]; dtype: number }): Tensor;
  getDTypeInteger(dtype: string): number;
}

/** The attribute T of ops on float32. */
export const FLOAT: OpAttribute = { name: "T", type: ATTR.type, value: DTYPE.float32 };

/** An attribute that names a dtype. */
export function type(name: string, value: number): OpAttribute {
  return { name, type: ATTR.type, value };
}

/** Raw ops: results are ids, so that dtypes that tfjs lacks can pass; `keep` turns one into a tensor, the rest is freed. */
export class Chain {
  readonly #backend: NodeBackend;
  readonly #ids: number[] = [];

  constructor(backend: NodeBackend) {
    this.#backend = backend;
  }

  input(tensor: TensorInfo): number {
    return this.#backend.getInputTensorIds([tensor])[0]!;
  }

  ints(values: readonly number[], shape: readonly number[] = [values.length]): number {
    const id = this.#backend.binding.createTensor([...shape], DTYPE.int32, Int32Array.from(values));
    this.#ids.push(id);
    return id;
  }

  floats(values: readonly number[], shape: readonly number[]): number {
    const id = this.#backend.binding.createTensor([...shape], DTYPE.float32, Float32Array.from(values));
    this.#ids.push(id);
    return id;
  }

  op(name: string, attributes: readonly OpAttribute[], inputs: readonly number[]): number {
    const [output] = this.#backend.binding.executeOp(name, attributes, inputs, 1);
    this.#ids.push(output!.id);
    return output!.id;
  }

  /** The tensors of ids (of these shapes), and everything else of the chain freed. */
  keep(results: readonly { id: number; shape: number[] }[], dtype: number = DTYPE.float32): Tensor[] {
    const kept = new Set(results.map((result) => result.id));
    for (const id of this.#ids) if (!kept.has(id)) this.#backend.binding.deleteTensor(id);
    return results.map(({ id, shape }) => this.#backend.createOutputTensor({ id, shape, dtype }));
  }
}
