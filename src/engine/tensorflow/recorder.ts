import { cString, int64, outputBytes } from "./ffi.ts";
import type { RoundBounds } from "../ops.ts";
import { ATTR, DTYPE, type OpAttribute, type Runtime } from "./runtime.ts";

/** One output of a node of a graph that is being recorded. */
export interface GraphOutput {
  readonly recorder: Recorder;
  readonly operation: Deno.PointerValue;
  readonly index: number;
  /** The op that makes it; undefined: an argument of the function, or a constant. */
  readonly made?: {
    readonly op: string;
    readonly attributes: readonly OpAttribute[];
    readonly inputs: readonly GraphOutput[];
  };
  /** Where it stands in the program's inputs; undefined: it is none of them. */
  readonly path?: string;
}

/** Options of a recording. */
export interface RecordingOptions {
  /** XLA wants every shape to be static. */
  readonly xla: boolean;
  /** True: convolutions may be computed in TF32; see `tf32.ts`. */
  readonly tf32: boolean;
  /** Called with each quantized layer that stays float32. */
  readonly float32?: ((layer: string) => void) | undefined;
}

/** A function of the eager context. */
export interface GraphFunction {
  readonly name: string;
  readonly handle: Deno.PointerValue;
}

function concatenated(list: readonly GraphOutput[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(16 * list.length);
  list.forEach((item, i) => bytes.set(outputBytes(item.operation, item.index), 16 * i));
  return bytes;
}

/** Ops that take a list of inputs; the number says how many single inputs follow it. */
const LIST_INPUTS: Readonly<Record<string, number>> = { ConcatV2: 1, Pack: 0, AddN: 0, IdentityN: 0, Einsum: 0 };

/** Records ops into a TF_Graph and turns it into a function of the eager context. */
export class Recorder {
  readonly #runtime: Runtime;
  readonly #graph: Deno.PointerValue;
  readonly #constants = new Map<number, GraphOutput>();
  #nodes = 0;
  readonly options: RecordingOptions;
  /** Bounds of the tensors that were rounded to integers. */
  readonly rounded = new Map<GraphOutput, RoundBounds>();

  constructor(runtime: Runtime, options: RecordingOptions) {
    this.#runtime = runtime;
    this.#graph = runtime.c.TF_NewGraph();
    this.options = options;
  }

  #newNode(op: string): Deno.PointerValue {
    // a failure inside the function names the node, so the node names its op
    return this.#runtime.c.TF_NewOperation(this.#graph, this.#runtime.name(op), cString(`${op}_${this.#nodes++}`));
  }

  #finish(node: Deno.PointerValue, what: string | (() => string)): Deno.PointerValue {
    const operation = this.#runtime.c.TF_FinishOperation(node, this.#runtime.status);
    this.#runtime.check(what);
    return operation;
  }

  /** An argument of the function. */
  placeholder(shape: readonly number[], dtype: number, path: string): GraphOutput {
    const { c } = this.#runtime, node = this.#newNode("Placeholder");
    c.TF_SetAttrType(node, this.#runtime.name("dtype"), dtype);
    c.TF_SetAttrShape(node, this.#runtime.name("shape"), int64(shape), shape.length);
    return { recorder: this, operation: this.#finish(node, "Placeholder"), index: 0, path };
  }

  /** An eager tensor used inside the graph: a constant of it, made once. */
  capture(id: number, handle: Deno.PointerValue): GraphOutput {
    const known = this.#constants.get(id);
    if (known) return known;
    const { c, status } = this.#runtime;
    const tensor = c.TFE_TensorHandleResolve(handle, status);
    this.#runtime.check("a captured tensor");
    const output = this.#constant(tensor);
    this.#constants.set(id, output);
    return output;
  }

  /** A constant of int32. */
  constant(values: readonly number[], shape: readonly number[]): GraphOutput {
    return this.#constant(this.#runtime.newTensor(shape, DTYPE.int32, values));
  }

  /** A constant of these values; the tensor is deleted. */
  #constant(tensor: Deno.PointerValue): GraphOutput {
    const { c, status } = this.#runtime, node = this.#newNode("Const");
    c.TF_SetAttrTensor(node, this.#runtime.name("value"), tensor, status);
    this.#runtime.check("Const");
    c.TF_SetAttrType(node, this.#runtime.name("dtype"), c.TF_TensorType(tensor));
    c.TF_DeleteTensor(tensor);
    return { recorder: this, operation: this.#finish(node, "Const"), index: 0 };
  }

  /** Adds an op; returns its `outputs` outputs. */
  record(
    op: string,
    attributes: readonly OpAttribute[],
    options: { inputs: readonly GraphOutput[]; outputs: number },
  ): GraphOutput[] {
    const { c } = this.#runtime, node = this.#newNode(op);
    const bytes = options.inputs.map((input) => outputBytes(input.operation, input.index));
    const after = LIST_INPUTS[op];
    const listed = after === undefined ? 0 : bytes.length - after;
    if (listed > 0) {
      const list = new Uint8Array(16 * listed);
      bytes.slice(0, listed).forEach((item, i) => list.set(item, 16 * i));
      c.TF_AddInputList(node, list, listed);
    }
    for (const item of bytes.slice(listed)) c.TF_AddInput(node, item);
    // the number of list inputs follows from the list
    const own = listed > 0 ? attributes.filter((attribute) => attribute.name !== "N") : attributes;
    this.#runtime.setAttributes(node, own, "TF_SetAttr");
    const shapes = () => options.inputs.map((input) => `[${this.shapeOf(input)}]`).join(", ");
    const operation = this.#finish(node, () => `${op}(${shapes()})`);
    const made = { op, attributes, inputs: options.inputs };
    return Array.from({ length: options.outputs }, (_, index) => ({ recorder: this, operation, index, made }));
  }

  /** The static shape of an output; an unknown rank is [0]: such outputs (reserve spaces) may only be passed on. */
  shapeOf(output: GraphOutput): number[] {
    const { c, status } = this.#runtime, bytes = outputBytes(output.operation, output.index);
    const rank = c.TF_GraphGetTensorNumDims(this.#graph, bytes, status);
    this.#runtime.check("the rank of a recorded tensor");
    if (rank < 0) return [0];
    const sizes = new BigInt64Array(Math.max(rank, 1));
    if (rank > 0) {
      c.TF_GraphGetTensorShape(this.#graph, bytes, sizes, rank, status);
      this.#runtime.check("the shape of a recorded tensor");
    }
    return [...sizes.slice(0, rank)].map(Number);
  }

  dtypeOf(output: GraphOutput): number {
    return this.#runtime.c.TF_OperationOutputType(outputBytes(output.operation, output.index));
  }

  /**
   * Adds `while (condition(values)) values = body(values)`, both functions of `define`.
   * @returns The values at the end, of the shapes and dtypes of `inputs`.
   */
  loop(
    inputs: readonly GraphOutput[],
    { condition, body }: { condition: GraphFunction; body: GraphFunction },
  ): GraphOutput[] {
    const { c, status } = this.#runtime;
    for (const { handle } of [condition, body]) {
      c.TF_GraphCopyFunction(this.#graph, handle, null, status);
      this.#runtime.check("the function of a loop");
    }
    const node = this.#newNode("StatelessWhile");
    c.TF_AddInputList(node, concatenated(inputs), inputs.length);
    for (const [key, { name }] of [["cond", condition], ["body", body]] as const) {
      const text = new TextEncoder().encode(name);
      c.TF_SetAttrFuncName(node, this.#runtime.name(key), text, BigInt(text.length));
    }
    const operation = this.#finish(node, "StatelessWhile");
    return inputs.map((_, index) => ({ recorder: this, operation, index }));
  }

  /**
   * Makes `name` an op of the eager context that computes `outputs` from `inputs`.
   * @param isPart True: it is called by another recording, which XLA compiles with it.
   * @returns The function, which the caller deletes.
   */
  define(
    name: string,
    signature: { inputs: readonly GraphOutput[]; outputs: readonly GraphOutput[] },
    isPart: boolean,
  ): GraphFunction {
    const { c, status, context } = this.#runtime, inputs = new Set(signature.inputs);
    // an argument that is also a result gets a node of its own
    const outputs = signature.outputs.map((output) =>
      inputs.has(output)
        ? this.record("Identity", [{ name: "T", type: ATTR.type, value: this.dtypeOf(output) }], {
          inputs: [output],
          outputs: 1,
        })[0]!
        : output
    );
    const key = cString(name);
    const made = c.TF_GraphToFunction(
      this.#graph,
      key,
      0,
      -1,
      null,
      inputs.size,
      concatenated(signature.inputs),
      outputs.length,
      concatenated(outputs),
      null,
      null,
      null,
      status,
    );
    this.#runtime.check("the recorded function");
    if (this.options.xla && !isPart) {
      // AttrValue {b: true}: field 5, a varint
      c.TF_FunctionSetAttrValueProto(made, this.#runtime.name("_XlaMustCompile"), Uint8Array.of(0x28, 1), 2n, status);
      this.#runtime.check("_XlaMustCompile");
    }
    c.TFE_ContextAddFunction(context, made, status);
    this.#runtime.check("the recorded function");
    return { name, handle: made };
  }

  dispose(): void {
    this.#runtime.c.TF_DeleteGraph(this.#graph);
  }
}
