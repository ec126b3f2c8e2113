/** tfjs's backend: plain arrays and tfjs's CPU kernels for what runs eagerly, and the recorder of programs. */
import { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import type { DataId, DataType, KernelFunc, NamedAttrMap, TensorInfo } from "@tensorflow/tfjs-core";
import {
  type Graph,
  makeUse,
  makeValues,
  type Node,
  sizeOf,
  typeOf,
  type Use,
  type Value,
  type Values,
} from "./graph.ts";
import { Held } from "./held.ts";
import { shapesOf } from "./shapes.ts";

export const BACKEND = "onednn";

/** Kernels that only give data another shape, or none. */
const ALIASES = new Set(["Identity", "Reshape"]);

interface Recording {
  readonly nodes: Node[];
  readonly values: Map<DataId, Value>;
}

/** Runs one kernel call on values. */
export type RunKernel = (
  kernel: string,
  inputs: TensorInfo[] | Record<string, TensorInfo>,
  attrs: NamedAttrMap,
) => TensorInfo[];

export class OneDnnBackend extends MathBackendCPU {
  #recording: Recording | null = null;
  readonly #held = new WeakMap<DataId, Held>();

  get isRecording(): boolean {
    return this.#recording !== null;
  }

  override write(values: tf.backend_util.BackendValues, _shape: number[], dtype: DataType): DataId {
    // the parent's own would advise other engines at its first tensor
    const dataId = { id: nextId++ };
    this.data.set(dataId, { values, dtype, refCount: 1 });
    return dataId;
  }

  override readSync(dataId: DataId): tf.backend_util.BackendValues {
    if (!this.data.get(dataId).values) {
      throw new Error(
        "Cannot read the value of a tensor inside a program as it is being recorded: return it from the program instead",
      );
    }
    return super.readSync(dataId);
  }

  /** A tensor with values that are not copied. */
  tensor(shape: readonly number[], dtype: DataType, values?: Values): TensorInfo {
    return this.makeTensorInfo([...shape], dtype, values as tf.backend_util.BackendValues | undefined);
  }

  /** A tensor of a program's result. */
  heldTensor(shape: readonly number[], dtype: DataType, held: Held): TensorInfo {
    const info = this.tensor(shape, dtype);
    this.#held.set(info.dataId, held);
    Object.defineProperty(this.data.get(info.dataId), "values", { get: () => held.values });
    return info;
  }

  /** The values of a tensor for a program: the same object at each call. */
  heldOf(info: TensorInfo): Held {
    let held = this.#held.get(info.dataId);
    if (!held) this.#held.set(info.dataId, held = new Held(this.valuesOf(info)));
    return held;
  }

  override disposeData(dataId: DataId, force?: boolean): boolean {
    const isGone = super.disposeData(dataId, force);
    if (isGone) this.#held.get(dataId)?.giveUp();
    return isGone;
  }

  /** The values of a tensor, in place. */
  valuesOf({ dataId }: TensorInfo): Values {
    return this.readSync(dataId) as Values;
  }

  /**
   * Runs `program` on tensors without values, and gives its kernel calls.
   * @throws {Error} If it reads a value.
   */
  record<T>(
    inputs: readonly TensorInfo[],
    program: (given: TensorInfo[]) => { outputs: readonly TensorInfo[]; result: T },
  ): {
    graph: Graph;
    result: T;
  } {
    const recording: Recording = { nodes: [], values: new Map() };
    this.#recording = recording;
    try {
      const uses: Use[] = [],
        given = inputs.map(({ shape, dtype }, input) => {
          const info = this.tensor(shape, dtype), use = makeUse(shape, typeOf(dtype), { input });
          recording.values.set(info.dataId, use.value);
          uses.push(use);
          return info;
        });
      const { outputs, result } = program(given);
      return {
        graph: { nodes: recording.nodes, inputs: uses, outputs: outputs.map((info) => this.#use(info)) },
        result,
      };
    } finally {
      this.#recording = null;
    }
  }

  #use({ dataId, shape, dtype }: TensorInfo): Use {
    const { values } = this.#recording!;
    let value = values.get(dataId);
    if (!value) {
      const constant = (this.readSync(dataId) as Values).slice() as Values;
      values.set(dataId, value = { type: typeOf(dtype), size: sizeOf(shape), constant });
    }
    return { value, shape };
  }

  /** Adds a kernel call to the recording. */
  #add(kernel: string, inputs: TensorInfo[] | Record<string, TensorInfo>, attrs: NamedAttrMap): TensorInfo[] {
    const list = Array.isArray(inputs), uses: Record<string, Use> = {};
    for (const [name, info] of Object.entries(inputs)) if (info) uses[name] = this.#use(info);
    const shapes = shapesOf(kernel, uses, attrs) ?? this.#probe(kernel, inputs, attrs);
    const outputs = shapes.map(({ shape, dtype }) => makeUse(shape, typeOf(dtype)));
    this.#recording!.nodes.push({ kernel, inputs: uses, attrs, outputs, ...(list ? { list } : {}) });
    return outputs.map(({ value, shape }, i) => {
      const info = this.tensor(shape, shapes[i]!.dtype);
      this.#recording!.values.set(info.dataId, value);
      return info;
    });
  }

  /** Shapes of what a kernel of tfjs gives, by running it on zeros. */
  #probe(kernel: string, inputs: TensorInfo[] | Record<string, TensorInfo>, attrs: NamedAttrMap) {
    const zeros = (info: TensorInfo) =>
      this.tensor(info.shape, info.dtype, makeValues(typeOf(info.dtype), sizeOf(info.shape)));
    const given = Array.isArray(inputs) ? inputs.map(zeros) : Object.fromEntries(
      Object.entries(inputs).filter(([, info]) => info).map(([name, info]) => [name, zeros(info)]),
    );
    const recording = this.#recording;
    this.#recording = null;
    try {
      const results = this.runOnCpu(kernel, given, attrs);
      for (const info of [...Object.values(given), ...results]) this.disposeData(info.dataId);
      return results.map(({ shape, dtype }) => ({ shape, dtype }));
    } finally {
      this.#recording = recording;
    }
  }

  /** Runs tfjs's own CPU kernel. */
  runOnCpu(kernel: string, inputs: TensorInfo[] | Record<string, TensorInfo>, attrs: NamedAttrMap): TensorInfo[] {
    const found = tf.getKernel(kernel, "cpu");
    if (!found) {
      const shapes = Object.values(inputs).map(({ shape }) => `[${shape}]`).join(", ");
      throw new Error(`Engine onednn has no kernel ${kernel} (on ${shapes}): take --engine tensorflow or wasm`);
    }
    const result = found.kernelFunc({ inputs: inputs as never, attrs, backend: this });
    return Array.isArray(result) ? result : [result];
  }

  /** The kernel function of `kernel`: it records, or runs. */
  kernelFunc(kernel: string, run: RunKernel): KernelFunc {
    return ({ inputs, attrs }) => {
      const given = inputs as unknown as Record<string, TensorInfo>;
      if (ALIASES.has(kernel) || kernel === "Cast" && given["x"]!.dtype === attrs!["dtype"]) {
        return this.#alias(given["x"]!, kernel === "Reshape" ? attrs as NamedAttrMap : undefined);
      }
      const results = this.#recording ? this.#add(kernel, given, attrs ?? {}) : run(kernel, given, attrs ?? {});
      return results.length === 1 ? results[0]! : results;
    };
  }

  #alias(x: TensorInfo, attrs?: NamedAttrMap): TensorInfo {
    this.incRef(x.dataId);
    const shape = attrs?.["shape"]
      ? tf.util.inferFromImplicitShape(attrs["shape"] as number[], sizeOf(x.shape))
      : x.shape;
    return { dataId: x.dataId, shape, dtype: x.dtype };
  }
}

let nextId = 0;
