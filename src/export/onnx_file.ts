/** An ONNX file from outside, checked before anything computes with it. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  TensorProto_DataType as DataType,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "onnx-buf";
import { InputError, messageOf } from "../errors.ts";
import { parseRunSpec, type RunSpec } from "../record/spec.ts";
import { sha256Of } from "../data/manifest.ts";
import { PRODUCER } from "./onnx_model.ts";

/** Opsets that are known: from the first with quantization by channel to the last that ONNX Runtime 1.30 has. */
const OPSETS = { oldest: 13, newest: 26 } as const;

/** Sets of operators that ONNX Runtime has. */
const DOMAINS = ["", "ai.onnx", "com.microsoft"];

/** A file whose graph takes images and gives logits. */
export interface OnnxFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly model: ModelProto;
  readonly graph: GraphProto;
  readonly opset: number;
  /** Text that `deno task export` put into the file, by name; another tool's is left out. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly input: {
    readonly name: string;
    readonly type: "uint8" | "float32";
    /** Null: any number of images. */
    readonly batch: number | null;
    /** [channels, height, width]. */
    readonly image: readonly [number, number, number];
  };
  readonly output: { readonly name: string; readonly classes: number };
  readonly sha256: string;
}

/**
 * Parses a file.
 * @throws {InputError} If it is no ONNX, of an opset or operators that are not known, or no network of images.
 */
export function parseOnnx(bytes: Uint8Array<ArrayBuffer>, path: string): OnnxFile {
  const refuse = (why: string, remedy: string) => new InputError(`Cannot verify "${path}" as ${why}: ${remedy}`);
  const exported = "give a file that `deno task export` or another tool's ONNX export wrote";
  let model: ModelProto;
  try {
    model = fromBinary(ModelProtoSchema, bytes);
  } catch (error) {
    throw refuse(`it is no ONNX file (${messageOf(error)})`, exported);
  }
  const { graph } = model;
  if (!graph || graph.node.length === 0 || model.opsetImport.length === 0) {
    throw refuse("it is no ONNX file with a graph", exported);
  }
  const opset = Number(model.opsetImport.find(({ domain }) => domain === "" || domain === "ai.onnx")?.version ?? 0n);
  if (opset < OPSETS.oldest || opset > OPSETS.newest) {
    const range = `from ${OPSETS.oldest} to ${OPSETS.newest}`;
    throw refuse(
      `its opset must be ${range}: current value is ${opset}`,
      `export it with an opset ${range}, such as 21`,
    );
  }
  const foreign = graph.node.find(({ domain }) => !DOMAINS.includes(domain));
  if (foreign) {
    throw refuse(
      `its operator ${foreign.opType} of domain "${foreign.domain}" is not known`,
      "export it with the operators of ONNX alone, such as QuantizeLinear and DequantizeLinear",
    );
  }
  const constants = new Set(graph.initializer.map(({ name }) => name));
  const inputs = graph.input.filter(({ name }) => !constants.has(name)), [input] = inputs, [output] = graph.output;
  if (inputs.length !== 1 || graph.output.length !== 1) {
    throw refuse(
      `it has ${inputs.length} inputs and ${graph.output.length} outputs`,
      "give a network with one input, the images, and one output, the logits",
    );
  }
  const from = portOf(input!), to = portOf(output!);
  const type = from.type === DataType.UINT8 ? "uint8" : from.type === DataType.FLOAT ? "float32" : null;
  const [batch, channels, height, width] = from.shape;
  if (!type || from.shape.length !== 4 || !channels || !height || !width) {
    throw refuse(
      `its input "${input!.name}" has shape [${shown(from.shape)}] of type ${DataType[from.type] ?? from.type}`,
      "give a network of images [n, channels, height, width] in uint8 or float",
    );
  }
  const classes = to.shape.at(-1);
  if (to.shape.length !== 2 || !classes) {
    throw refuse(
      `its output "${output!.name}" has shape [${shown(to.shape)}]`,
      "give a network of logits [n, classes]",
    );
  }
  return {
    bytes,
    model,
    graph,
    opset,
    metadata: model.producerName === PRODUCER
      ? Object.fromEntries(model.metadataProps.map(({ key, value }) => [key, value]))
      : {},
    input: { name: input!.name, type, batch: batch ?? null, image: [channels, height, width] },
    output: { name: output!.name, classes },
    sha256: sha256Of(bytes),
  };
}

/**
 * Spec and accuracy of the run that a file was exported from; null: it is another tool's.
 * @throws {InputError} If they are damaged.
 */
export function statedRun(
  { metadata: { spec, top1Percent } }: OnnxFile,
  path: string,
): { spec: RunSpec; top1: number } | null {
  if (spec === undefined) return null;
  const top1 = Number(top1Percent);
  let value: unknown;
  try {
    value = JSON.parse(spec);
    if (!Number.isFinite(top1)) throw new Error();
  } catch {
    throw new InputError(`Cannot verify "${path}" as its spec or accuracy is damaged: export the run again`);
  }
  return { spec: parseRunSpec(value, path), top1 };
}

function portOf({ type }: ValueInfoProto): { type: number; shape: (number | null)[] } {
  if (type?.value.case !== "tensorType") return { type: DataType.UNDEFINED, shape: [] };
  const { elemType, shape } = type.value.value;
  const sizes = shape?.dim.map(({ value }) => value.case === "dimValue" ? Number(value.value) : null) ?? [];
  return { type: elemType, shape: sizes };
}

function shown(shape: readonly (number | null)[]): string {
  return shape.map((size) => size ?? "n").join(", ");
}

/** The file with more outputs; their types and shapes are ONNX Runtime's to find. */
export function withOutputs({ bytes }: Pick<OnnxFile, "bytes">, names: readonly string[]): Uint8Array<ArrayBuffer> {
  const model = fromBinary(ModelProtoSchema, bytes);
  const present = new Set(model.graph!.output.map(({ name }) => name));
  const added = names.filter((name) => !present.has(name));
  model.graph!.output.push(...added.map((name) => create(ValueInfoProtoSchema, { name })));
  return toBinary(ModelProtoSchema, model) as Uint8Array<ArrayBuffer>;
}
