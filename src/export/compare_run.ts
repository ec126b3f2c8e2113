import * as tf from "@tensorflow/tfjs-core";
import type { Dataset } from "../data/types.ts";
import type { Engine } from "../engine/types.ts";
import type { RunRecord } from "../record/record.ts";
import { channelsBehind, channelsFirst } from "./image_layout.ts";
import { type FirstDifference, LayerComparer, type LayerComparison, layerInputs } from "./layer_comparison.ts";
import { type OnnxFile, withOutputs } from "./onnx_file.ts";
import { openRun } from "./open_run.ts";
import { inputIntegers } from "./quantize_dequantize.ts";
import { OnnxSession, type RuntimeName } from "./runtime/onnx_session.ts";

/** Images that are compared at a time: all layers' inputs are held at once. */
const BATCH = 20;

/** A file's integers beside those of the run that it was exported from. */
export interface RunComparison {
  /** Description of our engine. */
  readonly engine: string;
  readonly images: number;
  readonly layers: readonly LayerComparison[];
  /** First layer with a difference, of each image that has one. */
  readonly firstOf: readonly (FirstDifference & { readonly image: number })[];
  /** Layers with a difference that no tie explains; none: equal but for ties. */
  readonly problems: readonly string[];
}

/**
 * Compares the integers of every layer's input, image by image.
 * @throws {InputError} If the checkpoint is missing, damaged or of another training.
 */
export async function compareRun(
  file: OnnxFile,
  { record, checkpoint, engine, dataset, images, runtime }: {
    record: RunRecord;
    checkpoint: string;
    engine: Engine;
    dataset: Dataset;
    images: readonly number[];
    runtime?: RuntimeName;
  },
): Promise<RunComparison> {
  const opened = await openRun(checkpoint, record, dataset), { model } = opened, quantization = opened.quantization!;
  const ours = layerInputs(engine, { model, quantization, scale: dataset });
  const names = model.layers.map(({ path }) => inputIntegers(path)), comparer = new LayerComparer(model.layers);
  const firstOf: (FirstDifference & { image: number })[] = [],
    size = dataset.imageShape.reduce((product, dim) => product * dim, 1);
  await using session = await OnnxSession.open(withOutputs(file, names), runtime);
  try {
    for (let start = 0; start < images.length; start += BATCH) {
      const batch = images.slice(start, start + BATCH), bytes = new Uint8Array(batch.length * size);
      batch.forEach((image, i) => bytes.set(dataset.test.images.subarray(image * size, (image + 1) * size), i * size));
      const [height, width, channels] = dataset.imageShape, dims = [batch.length, channels, height, width];
      const feed = { type: file.input.type, data: channelsFirst(bytes, dataset.imageShape), dims };
      const { values } = await session.run({ [file.input.name]: feed }, names);
      const tensor = tf.tensor(Int32Array.from(bytes), [batch.length, ...dataset.imageShape], "int32");
      const { integers, unrounded } = ours.of(opened.network, tensor);
      tensor.dispose();
      const first = comparer.add(batch.length, ({ path }) => {
        const { data, dims } = values[inputIntegers(path)]!, found = data as Uint8Array | Int8Array;
        const theirs = dims.length === 4 ? channelsBehind(found, dims.slice(1) as [number, number, number]) : found;
        return { ours: integers[path]!, unrounded: unrounded[path]!, theirs };
      });
      first.forEach((found, i) => found !== null && firstOf.push({ image: batch[i]!, ...found }));
    }
  } finally {
    ours.dispose();
    opened.dispose();
  }
  const layers = comparer.result;
  const problems = layers.filter(({ first, ties }) => first > ties).map(({ path, first, ties, farthest }) =>
    `${
      first - ties
    } integers of the input of ${path} differ and are no ties, the farthest ${farthest} steps from an edge`
  );
  return { engine: engine.description, images: images.length, layers, firstOf, problems };
}
