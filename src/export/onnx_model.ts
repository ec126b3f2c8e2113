/** Nodes and initializers collected into an ONNX model; tensors are named as their layers are. */
import { create, toBinary } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProto_DataType as DataType,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "onnx-buf";

/** Version of ONNX's operators: the first with tensors of 4 bits in QuantizeLinear and DequantizeLinear. */
export const OPSET = 21;

/** Name that a file gives as its producer. */
export const PRODUCER = "requant";

/** Version of the file format that belongs to it. */
const IR_VERSION = 10;

/** An attribute of a node: a whole number, or a list of them. */
type Attributes = Readonly<Record<string, number | readonly number[]>>;

/** An input or output of the graph; a dimension that is text may have any size. */
export interface Port {
  readonly name: string;
  readonly type: DataType;
  readonly shape: readonly (number | string)[];
}

/** Builds a graph node by node. */
export class OnnxModel {
  readonly #nodes: NodeProto[] = [];
  readonly #initializers = new Map<string, TensorProto>();

  /** Adds a node with one output, after which it is named unless it has a name; returns the output's name. */
  node(
    operator: string,
    inputs: readonly string[],
    options: { output: string; name?: string; attributes?: Attributes },
  ): string {
    const attribute = Object.entries(options.attributes ?? {}).map(([name, value]) =>
      create(AttributeProtoSchema, {
        name,
        ...(typeof value === "number"
          ? { type: AttributeType.INT, i: BigInt(value) }
          : { type: AttributeType.INTS, ints: value.map(BigInt) }),
      })
    );
    const { output, name = output } = options;
    this.#nodes.push(
      create(NodeProtoSchema, { name, opType: operator, input: [...inputs], output: [output], attribute }),
    );
    return output;
  }

  /** Adds a constant tensor, once for a name; returns the name. */
  constant(
    name: string,
    values: Float32Array | Int8Array | Uint8Array | Int32Array | BigInt64Array,
    shape: readonly number[],
  ): string {
    const rawData = new Uint8Array(values.slice().buffer as ArrayBuffer);
    return this.#add(name, { dataType: typeOf(values), dims: shape.map(BigInt), rawData });
  }

  /** Adds a constant of integers in 4 bits each, the first in the lower half of a byte. */
  packed(name: string, values: Int8Array | Uint8Array, shape: readonly number[]): string {
    const rawData = new Uint8Array(Math.ceil(values.length / 2));
    values.forEach((value, i) => rawData[i >> 1]! |= (value & 15) << (4 * (i & 1)));
    const dataType = values instanceof Int8Array ? DataType.INT4 : DataType.UINT4;
    return this.#add(name, { dataType, dims: shape.map(BigInt), rawData });
  }

  #add(name: string, tensor: { dataType: DataType; dims: bigint[]; rawData: Uint8Array<ArrayBuffer> }): string {
    this.#initializers.set(name, create(TensorProtoSchema, { name, ...tensor }));
    return name;
  }

  /** The file's bytes. */
  encode(
    options: { input: Port; output: Port; metadata: Readonly<Record<string, string>> },
  ): Uint8Array<ArrayBuffer> {
    const graph = create(GraphProtoSchema, {
      name: "network",
      node: this.#nodes,
      initializer: [...this.#initializers.values()],
      input: [valueInfo(options.input)],
      output: [valueInfo(options.output)],
    });
    const model = create(ModelProtoSchema, {
      irVersion: BigInt(IR_VERSION),
      producerName: PRODUCER,
      opsetImport: [create(OperatorSetIdProtoSchema, { domain: "", version: BigInt(OPSET) })],
      graph,
      metadataProps: Object.entries(options.metadata).map(([key, value]) =>
        create(StringStringEntryProtoSchema, { key, value })
      ),
    });
    return toBinary(ModelProtoSchema, model) as Uint8Array<ArrayBuffer>;
  }
}

function typeOf(values: Float32Array | Int8Array | Uint8Array | Int32Array | BigInt64Array): DataType {
  if (values instanceof Float32Array) return DataType.FLOAT;
  if (values instanceof Int8Array) return DataType.INT8;
  if (values instanceof Uint8Array) return DataType.UINT8;
  return values instanceof Int32Array ? DataType.INT32 : DataType.INT64;
}

/** The form in which ONNX states the type of an input or output. */
function valueInfo({ name, type, shape }: Port): ValueInfoProto {
  const dim = shape.map((size) => ({
    value: typeof size === "number"
      ? { case: "dimValue" as const, value: BigInt(size) }
      : { case: "dimParam" as const, value: size },
  }));
  return create(ValueInfoProtoSchema, {
    name,
    type: { value: { case: "tensorType", value: { elemType: type, shape: { dim } } } },
  });
}
