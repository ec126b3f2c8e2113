/** The files of a finished run that need nothing of this suite. */
import type { Dataset } from "../data/types.ts";
import type { Engine } from "../engine/types.ts";
import { InputError } from "../errors.ts";
import type { RunRecord } from "../record/record.ts";
import { testIndices } from "../train/quantization.ts";
import { modelCard, type Origin } from "./card.ts";
import { sha256Of } from "../data/manifest.ts";
import { integerFile } from "./integer_form.ts";
import { type ExportedNetwork, exportedNetwork } from "./network.ts";
import { OPSET } from "./onnx_model.ts";
import { openRun } from "./open_run.ts";
import { ownClasses } from "./own_evaluation.ts";
import { filled, quantizeDequantizeFile } from "./quantize_dequantize.ts";
import { readSafetensor, safetensorsFile, type StoredTensor } from "./safetensors.ts";

/** Names of the files. */
export const FILES = {
  onnx: "network.onnx",
  integer: "network.integer.onnx",
  safetensors: "network.safetensors",
  card: "card.md",
} as const;

/** The forms of a network in ONNX, as its metadata names them. */
export const FORMS = {
  float32: "float32",
  qdq: "QuantizeLinear and DequantizeLinear",
  integer: "QLinearConv",
} as const;
export type Form = keyof typeof FORMS;

/** The tensor with the class that our own evaluation gave to each test image. */
export const OWN_CLASSES = "evaluation/classes";

/** A run, and the files that are asked for. */
export interface ExportRequest {
  readonly record: RunRecord;
  /** File of the run's checkpoint. */
  readonly checkpoint: string;
  readonly engine: Engine;
  readonly dataset: Dataset;
  readonly origin: Origin;
  /** Store weights of at most 4 bits in 4 bits. */
  readonly packed: boolean;
  /** Write the integer form too. */
  readonly integer: boolean;
}

/** Files by name, the card last: it states the digests of the others. */
export type ExportedFiles = ReadonlyMap<string, Uint8Array<ArrayBuffer>>;

/**
 * Makes all files of an export; nothing is written.
 * @throws {InputError} If the run is not finished, its checkpoint is missing or of another training, or its data set differs.
 */
export async function exportRun(
  { record, checkpoint, engine, dataset, origin, packed, integer }: ExportRequest,
): Promise<ExportedFiles> {
  const { id, spec } = record;
  if (integer && spec.quantization === null) {
    throw new InputError(`Cannot export run ${id} in integers as it is full precision: leave --integer out`);
  }
  const opened = await openRun(checkpoint, record, dataset), { model, quantization } = opened;
  try {
    const { imageShape } = dataset, source = { engine, model, quantization, imageShape, scale: dataset };
    const network = exportedNetwork({ ...source, network: opened.network });
    const classes = ownClasses(engine, opened.network, {
      model,
      quantization,
      dataset,
      count: testIndices(spec.dataset, dataset).length,
    });
    const metadata = (form: Form) => ({
      form,
      run: id,
      title: origin.title,
      spec: JSON.stringify(spec),
      top1Percent: String(record.metrics!["top1Percent"]),
      loss: String(record.metrics!["loss"]),
      dataSha256: dataset.sha256,
      networkSha256: opened.sha256,
      engine: engine.description,
      ownEngine: engine.name,
      bits: JSON.stringify(bitsOf(network)),
    });
    const form = quantization ? "qdq" : "float32", opset = `opset ${OPSET}`;
    const own = { [OWN_CLASSES]: { shape: [classes.length], values: classes } };
    const files: [name: string, about: string, bytes: Uint8Array<ArrayBuffer>][] = [
      [FILES.onnx, `${FORMS[form]}, ${opset}`, quantizeDequantizeFile(network, { metadata: metadata(form), packed })],
      [
        FILES.safetensors,
        quantization ? "integers and scales" : "weights and folded batch norms",
        safetensorsFile({ ...tensorsOf(network), ...own }, metadata(form)),
      ],
    ];
    if (integer) {
      files.push([
        FILES.integer,
        `${FORMS.integer}, ${opset}`,
        integerFile(network, { metadata: metadata("integer") }),
      ]);
    }
    const facts = files.map(([name, about, bytes]) => ({ name, about, bytes: bytes.length, sha256: sha256Of(bytes) }));
    const card = new TextEncoder().encode(modelCard(record, { origin, files: facts }));
    return new Map([...files.map(([name, , bytes]) => [name, bytes] as const), [FILES.card, card] as const]);
  } finally {
    opened.dispose();
  }
}

/** The classes of our own evaluation in the safetensors file of an export; null: it has none of so many images. */
export function ownClassesIn(file: Uint8Array<ArrayBuffer> | null, count: number): Uint16Array | null {
  const stored = file && readSafetensor(file, OWN_CLASSES);
  return stored?.values instanceof Uint16Array && stored.values.length === count ? stored.values : null;
}

/** Bits of weight and input, by layer path; full precision: none. */
function bitsOf({ weights }: ExportedNetwork): Record<string, { weight: number; input: number }> {
  return Object.fromEntries(
    Object.entries(weights).flatMap(([path, { integers }]) =>
      integers ? [[path, { weight: integers.weightBits, input: integers.inputBits }]] : []
    ),
  );
}

/**
 * Integers, step sizes, zero points and the batch norms as they are folded, by layer path:
 *
 *   ŵ = (weight - weight_zero_point) · weight_scale,  x̂ = (q - input_zero_point) · input_scale,  y = output_scale · z + bias
 */
function tensorsOf({ steps, weights }: ExportedNetwork): Record<string, StoredTensor> {
  const tensors: Record<string, StoredTensor> = {};
  const add = (name: string, values: readonly number[], channels = values.length) => {
    tensors[name] = { shape: [channels], values: filled(values, channels) };
  };
  for (const [path, { shape, values, integers }] of Object.entries(weights)) {
    if (!integers) {
      tensors[`${path}/weight`] = { shape, values };
      continue;
    }
    const { weight, weightGrid, inputGrid } = integers;
    const stored = weightGrid.low < 0 ? Int8Array.from(weight) : Uint8Array.from(weight);
    tensors[`${path}/weight`] = { shape, values: stored };
    add(`${path}/weight_scale`, weightGrid.scale, shape[0]);
    add(`${path}/weight_zero_point`, weightGrid.zero, shape[0]);
    add(`${path}/input_scale`, inputGrid.scale);
    add(`${path}/input_zero_point`, inputGrid.zero);
    add(`${path}/input_range`, [inputGrid.low, inputGrid.high]);
  }
  for (const step of steps) {
    if (step.kind !== "layer") continue;
    const { path, outChannels } = step.layer;
    if (step.scale) add(`${path}/output_scale`, step.scale, outChannels);
    if (step.shift) add(`${path}/bias`, step.shift, outChannels);
  }
  return tensors;
}
