import type { RoundBounds } from "../ops.ts";
import { type GraphFunction, type GraphOutput, Recorder, type RecordingOptions } from "./recorder.ts";
import { ATTR, DTYPE, type OpAttribute, type Runtime } from "./runtime.ts";
import { inTf32 } from "./tf32.ts";

/** Description of an output that tfjs-node's backend needs. */
export interface TensorMetadata {
  readonly id: number;
  readonly shape: number[];
  readonly dtype: number;
}

type Entry = { readonly handle: Deno.PointerValue } | GraphOutput;

function isGraphOutput(entry: Entry): entry is GraphOutput {
  return "recorder" in entry;
}

/**
 * tfjs-node's native interface (TFJSBinding) over libtensorflow, so that the JS kernels of @tensorflow/tfjs-node-gpu run
 * without its native add-on. Ops run at once, or, between `startRecording` and `stopRecording`, become nodes of a graph.
 */
export class Binding {
  readonly TF_FLOAT = DTYPE.float32;
  readonly TF_INT32 = DTYPE.int32;
  readonly TF_UINT8 = DTYPE.uint8;
  readonly TF_STRING = DTYPE.string;
  readonly TF_COMPLEX64 = DTYPE.complex64;
  readonly TF_INT64 = DTYPE.int64;
  readonly TF_BOOL = DTYPE.bool;
  readonly TF_RESOURCE = 20;
  readonly TF_ATTR_STRING = ATTR.string;
  readonly TF_ATTR_INT = ATTR.int;
  readonly TF_ATTR_FLOAT = ATTR.float;
  readonly TF_ATTR_BOOL = ATTR.bool;
  readonly TF_ATTR_TYPE = ATTR.type;
  readonly TF_ATTR_SHAPE = ATTR.shape;
  readonly TF_ATTR_RESOURCE = ATTR.resource;
  readonly TF_Version: string;
  readonly #runtime: Runtime;
  readonly #entries = new Map<number, Entry>();
  #nextId = 1;
  #recorder: Recorder | null = null;
  readonly #functions = new Map<string, GraphFunction>();

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    this.TF_Version = runtime.version;
  }

  isUsingGpuDevice(): boolean {
    return this.#runtime.gpu;
  }

  getNumOfTensors(): number {
    return this.#entries.size;
  }

  getNumOfSavedModels(): number {
    return 0;
  }

  #put(entry: Entry): number {
    const id = this.#nextId++;
    this.#entries.set(id, entry);
    return id;
  }

  #get(id: number): Entry {
    const entry = this.#entries.get(id);
    if (!entry) throw new Error("Cannot use a tensor as it was disposed, or belongs to another engine");
    return entry;
  }

  /**
   * A tensor from values. It is a real tensor even while recording: tfjs uploads values at first use, so a tensor that
   * outlives the recording may be met inside it; a graph takes it as a constant of its own.
   */
  createTensor(shape: number[], dtype: number, values: ArrayLike<number>): number {
    const tensor = this.#runtime.newTensor(shape, dtype, values);
    const handle = this.#runtime.c.TFE_NewTensorHandle(tensor, this.#runtime.status);
    this.#runtime.check("a new tensor");
    this.#runtime.c.TF_DeleteTensor(tensor);
    return this.#put({ handle });
  }

  /** A tensor of bytes on the GPU, or the CPU where there is none; to tfjs, which knows no bytes, it is one of int32. */
  createBytes(shape: number[], values: Uint8Array): TensorMetadata {
    const { c, context, status, device } = this.#runtime, id = this.createTensor(shape, DTYPE.uint8, values);
    const handle = c.TFE_TensorHandleCopyToDevice(
      this.#handle(id, "a copy"),
      context,
      this.#runtime.name(device),
      status,
    );
    this.#runtime.check("copying bytes to the device");
    this.deleteTensor(id);
    return { id: this.#put({ handle }), shape, dtype: DTYPE.uint8 };
  }

  deleteTensor(id: number): void {
    const entry = this.#entries.get(id);
    if (entry && !isGraphOutput(entry)) this.#runtime.c.TFE_DeleteTensorHandle(entry.handle);
    this.#entries.delete(id);
  }

  /** @throws {Error} If the tensor is one of a recording: it has no value. */
  tensorDataSync(id: number): Float32Array | Int32Array | Uint8Array {
    const entry = this.#get(id), { c, status } = this.#runtime;
    if (isGraphOutput(entry)) {
      throw new Error(
        "Cannot read the value of a tensor inside a program as it is being recorded: return it from the program instead",
      );
    }
    const tensor = c.TFE_TensorHandleResolve(entry.handle, status);
    this.#runtime.check("reading a tensor");
    const size = Number(c.TF_TensorByteSize(tensor)), dtype = c.TF_TensorType(tensor);
    const data = c.TF_TensorData(tensor);
    const bytes = size > 0 && data ? Deno.UnsafePointerView.getArrayBuffer(data, size).slice(0) : new ArrayBuffer(0);
    c.TF_DeleteTensor(tensor);
    if (dtype === DTYPE.float32) return new Float32Array(bytes);
    return dtype === DTYPE.int32 ? new Int32Array(bytes) : new Uint8Array(bytes);
  }

  executeOp(
    op: string,
    attributes: readonly OpAttribute[],
    inputs: readonly number[],
    outputs: number,
  ): TensorMetadata[] {
    return this.#recorder
      ? this.#record(op, attributes, { inputs, outputs })
      : this.run(op, attributes, { inputs, outputs });
  }

  /** Runs an op (or a recorded function) now. `shapes` are its outputs' shapes and dtypes where they are known. */
  run(
    op: string,
    attributes: readonly OpAttribute[],
    options: { inputs: readonly number[]; outputs: number; known?: readonly { shape: number[]; dtype: number }[] },
  ): TensorMetadata[] {
    const call = this.#call(op, attributes, options);
    try {
      this.#runtime.c.TFE_Execute(call.node, call.results, Int32Array.of(options.outputs), this.#runtime.status);
    } finally {
      this.#runtime.c.TFE_DeleteOp(call.node);
    }
    this.#runtime.check(call.what);
    return this.#outputs(call.results, options.known);
  }

  /** Runs a recorded function in another thread, while this one goes on. */
  async runInBackground(
    op: string,
    options: { inputs: readonly number[]; known: readonly { shape: number[]; dtype: number }[] },
  ): Promise<TensorMetadata[]> {
    const { c } = this.#runtime, outputs = options.known.length, call = this.#call(op, [], { ...options, outputs });
    const status = c.TF_NewStatus(), count = Int32Array.of(outputs);
    try {
      await c.executeInBackground(call.node, call.results, count, status);
      this.#runtime.check(call.what, status);
    } finally {
      c.TFE_DeleteOp(call.node);
      c.TF_DeleteStatus(status);
    }
    // both arrays are read here, so neither was freed while the other thread wrote to it
    return this.#outputs(call.results.subarray(0, count[0]), options.known);
  }

  #handle(id: number, op: string): Deno.PointerValue {
    const entry = this.#get(id);
    if (isGraphOutput(entry)) throw new Error(`Cannot run ${op} as an input belongs to a recording that has ended`);
    return entry.handle;
  }

  /** An op with its inputs, to be executed; the caller deletes it. */
  #call(
    op: string,
    attributes: readonly OpAttribute[],
    options: { inputs: readonly number[]; outputs: number },
  ) {
    const { c, status, context } = this.#runtime, handles = options.inputs.map((id) => this.#handle(id, op));
    const node = c.TFE_NewOp(context, this.#runtime.name(op), status);
    this.#runtime.check(op);
    try {
      this.#runtime.setAttributes(node, attributes, "TFE_OpSetAttr");
      for (const handle of handles) c.TFE_OpAddInput(node, handle, status);
    } catch (error) {
      c.TFE_DeleteOp(node);
      throw error;
    }
    const what = () => `${op}(${handles.map((handle) => `[${this.#shapeOf(handle)}]`).join(", ")})`;
    return { node, what, results: new BigUint64Array(options.outputs) };
  }

  #outputs(results: BigUint64Array, known?: readonly { shape: number[]; dtype: number }[]): TensorMetadata[] {
    return Array.from(results, (address, i) => {
      const handle = Deno.UnsafePointer.create(address),
        { shape, dtype } = known?.[i] ??
          { shape: this.#shapeOf(handle), dtype: this.#runtime.c.TFE_TensorHandleDataType(handle) };
      return { id: this.#put({ handle }), shape, dtype };
    });
  }

  #shapeOf(handle: Deno.PointerValue): number[] {
    const { c, status } = this.#runtime, rank = c.TFE_TensorHandleNumDims(handle, status);
    return Array.from({ length: rank }, (_, i) => Number(c.TFE_TensorHandleDim(handle, i, status)));
  }

  #record(
    op: string,
    attributes: readonly OpAttribute[],
    options: { inputs: readonly number[]; outputs: number },
  ): TensorMetadata[] {
    const recorder = this.#recorder!, inputs = options.inputs.map((id) => this.#recorded(id));
    const exact = recorder.options.tf32 ? inTf32(recorder, { op, attributes, inputs }) : null;
    const outputs = exact ? [exact] : recorder.record(op, attributes, { inputs, outputs: options.outputs });
    return outputs.map((output) => this.#describe(output));
  }

  /** Notes that a tensor which is being recorded holds integers within these bounds. */
  noteRounded(id: number, bounds: RoundBounds): void {
    const entry = this.#get(id);
    if (isGraphOutput(entry)) this.#recorder?.rounded.set(entry, bounds);
  }

  #recorded(id: number): GraphOutput {
    const entry = this.#get(id), recorder = this.#recorder!;
    if (!isGraphOutput(entry)) return recorder.capture(id, entry.handle);
    if (entry.recorder !== recorder) throw new Error("Cannot use a tensor of another recording inside a program");
    return entry;
  }

  #describe(output: GraphOutput): TensorMetadata {
    const recorder = output.recorder;
    return { id: this.#put(output), shape: recorder.shapeOf(output), dtype: recorder.dtypeOf(output) };
  }

  /** True if ops are being recorded for XLA, which needs static shapes. */
  get recordingForXla(): boolean {
    return this.#recorder?.options.xla ?? false;
  }

  /** @throws {Error} If a recording is under way. */
  requireNoRecording(): void {
    if (this.#recorder) {
      throw new Error(
        "Cannot run a compiled program inside a program as it is being recorded: call the plain function",
      );
    }
  }

  startRecording(options: RecordingOptions): void {
    this.#recorder = new Recorder(this.#runtime, options);
  }

  placeholder(shape: readonly number[], dtype: number, path: string): TensorMetadata {
    return this.#describe(this.#recorder!.placeholder(shape, dtype, path));
  }

  /** Adds a loop to the recording; `condition` and `body` are names of functions that were defined. */
  loop(inputs: readonly number[], { condition, body }: { condition: string; body: string }): TensorMetadata[] {
    const functions = { condition: this.#functions.get(condition)!, body: this.#functions.get(body)! };
    const recorder = this.#recorder!, values = inputs.map((id) => this.#recorded(id));
    // a loop keeps the shapes of its values, though the graph does not say so
    return recorder.loop(values, functions).map((output, i) => ({
      id: this.#put(output),
      shape: recorder.shapeOf(values[i]!),
      dtype: recorder.dtypeOf(output),
    }));
  }

  /** Ends a recording as the function `name`; `isPart`: one that another recording calls. */
  define(
    name: string,
    signature: { inputs: readonly number[]; outputs: readonly number[]; isPart?: boolean },
  ): void {
    const defined = this.#recorder!.define(name, {
      inputs: signature.inputs.map((id) => this.#recorded(id)),
      outputs: signature.outputs.map((id) => this.#recorded(id)),
    }, signature.isPart ?? false);
    this.#functions.set(name, defined);
  }

  stopRecording(): void {
    this.#recorder?.dispose();
    this.#recorder = null;
  }

  /** Forgets a function. */
  undefine(name: string): void {
    this.#runtime.c.TF_DeleteFunction(this.#functions.get(name)!.handle);
    this.#functions.delete(name);
    this.#runtime.c.TFE_ContextRemoveFunction(this.#runtime.context, this.#runtime.name(name), this.#runtime.status);
    this.#runtime.check(`removing ${name}`);
  }
}
