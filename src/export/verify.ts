/** An ONNX file checked against what is known of it: its card, its record, and our own evaluation. */
import type { Dataset } from "../data/types.ts";
import { InputError } from "../errors.ts";
import { channelsFirst } from "./image_layout.ts";
import { Inspection, isProduct, type LayerInspection } from "./inspection.ts";
import { type OnnxFile, withOutputs } from "./onnx_file.ts";
import { OnnxSession, type RuntimeName, type Values } from "./runtime/onnx_session.ts";

/** Images that go through ONNX Runtime at a time, unless the file wants another number. */
const BATCH = 100;

/** At most so many of 10,000 images may get another class than by our own evaluation without a tie that explains it. */
const DIFFERENT_PER_10000 = 2;

/**
 * Reports images of another class, where they are more than a few and no tie explains them.
 * @param explained Images whose integers differ first by ties alone.
 */
export function differenceProblems(
  { metadata }: Pick<OnnxFile, "metadata">,
  { different, images, explained }: Pick<Verification, "different" | "images"> & { explained: ReadonlySet<number> },
): string[] {
  const unexplained = (different ?? []).filter(({ image }) => !explained.has(image)).length;
  if (hasOwnClasses({ metadata }) || unexplained <= allowedOf(images)) return [];
  return [`${unexplained} of ${images} images get another class than by our own evaluation, and no tie explains them`];
}

/** Checks if a file is of the integer form: it rounds its biases, so its classes and its accuracy are its own. */
export function hasOwnClasses({ metadata }: Pick<OnnxFile, "metadata">): boolean {
  return metadata["form"] === "integer";
}

function allowedOf(images: number): number {
  return Math.ceil(images * DIFFERENT_PER_10000 / 10_000);
}

/** Data and records that a file is compared with. */
export interface VerifyOptions {
  readonly dataset: Dataset;
  /** Class by our own evaluation of each test image; null: not known. */
  readonly ownClasses: Uint16Array | null;
  /** The record's accuracy in percent; null: none is known. */
  readonly recordedTop1: number | null;
  /** Test images to evaluate. */
  readonly count: number;
  readonly runtime?: RuntimeName;
  /** Mean and standard deviation, of values divided by 255, for files that take normalised images. */
  readonly normalisation: { readonly mean: readonly number[]; readonly std: readonly number[] };
  readonly progress?: (images: number) => void;
}

/** A layer of a file, with its multiplications for one image. */
export interface VerifiedLayer extends LayerInspection {
  readonly multiplications: number;
}

/** An image whose class is another than by our own evaluation. */
export interface DifferentImage {
  readonly image: number;
  readonly theirs: number;
  readonly ours: number;
  /** Distance of the two best logits: small where a flipped rounding decides. */
  readonly margin: number;
}

/** The findings about a file. */
export interface Verification {
  readonly runtime: string;
  readonly images: number;
  readonly top1Percent: number;
  readonly loss: number;
  /** Time of computation, all images. */
  readonly seconds: number;
  readonly layers: readonly VerifiedLayer[];
  /** Null: our own classes are not known. */
  readonly different: readonly DifferentImage[] | null;
  /** Reasons why the file is not what it says; none: verified. */
  readonly problems: readonly string[];
}

/**
 * Evaluates a file in ONNX Runtime and compares.
 * @throws {InputError} If its images or classes are not those of the data set, or ONNX Runtime refuses it.
 */
export async function verify(file: OnnxFile, options: VerifyOptions): Promise<Verification> {
  requireShape(file, options.dataset);
  requireScale(options);
  const inspected = await inspect(file, options.runtime), evaluated = await evaluate(file, options);
  const { logits, ...scores } = evaluated, { ownClasses } = options;
  const different = ownClasses && differences(logits, { ownClasses, classes: file.output.classes });
  return {
    ...scores,
    images: options.count,
    layers: inspected,
    different,
    problems: problemsOf(file, { layers: inspected, different, top1Percent: scores.top1Percent, ...options }),
  };
}

function requireShape({ input, output }: OnnxFile, { name, imageShape: [height, width, channels], classes }: Dataset) {
  const wanted = [channels, height, width].join(" x ");
  if (input.image.join(" x ") !== wanted) {
    throw new InputError(
      `Cannot verify the network on ${name} as its images are ${input.image.join(" x ")} and those of ${name} are ` +
        `${wanted} (channels x height x width): name its own data set with --dataset`,
    );
  }
  if (output.classes !== classes) {
    throw new InputError(
      `Cannot verify the network on ${name} as it has ${output.classes} classes and ${name} has ${classes}: name its own ` +
        "data set with --dataset",
    );
  }
}

function requireScale({ normalisation, dataset: { name, imageShape: [, , channels] } }: VerifyOptions): void {
  for (const [option, values] of Object.entries(normalisation)) {
    if (values.length === channels && !(option === "std" && values.includes(0))) continue;
    throw new InputError(
      `Cannot use --${option} "${values}" as images of ${name} have ${channels} channels: give ${channels} numbers` +
        (option === "std" ? " other than 0" : ""),
    );
  }
}

/** The layers of a file, and the multiplications of each, from the sizes of their outputs for one image. */
async function inspect(file: OnnxFile, runtime: RuntimeName | undefined): Promise<VerifiedLayer[]> {
  const products = file.graph.node.filter(isProduct), weights = new Inspection(file.graph).computedWeights;
  const outputOf = new Map(products.map((node) => [node.name || node.output[0]!, node.output[0]!]));
  const names = [...outputOf.values(), ...weights];
  await using session = await OnnxSession.open(withOutputs(file, names), runtime);
  const batch = file.input.batch ?? 1, size = file.input.image.reduce((product, dim) => product * dim, batch);
  const data = file.input.type === "uint8" ? new Uint8Array(size) : new Float32Array(size);
  const feed: Values = { type: file.input.type, data, dims: [batch, ...file.input.image] };
  const { values } = await session.run({ [file.input.name]: feed }, names);
  const computed = Object.fromEntries(weights.map((name) => [name, values[name]!]));
  return new Inspection(file.graph, computed).layers.map((layer) => {
    const { dims } = values[outputOf.get(layer.name)!]!,
      outputs = dims.slice(1).reduce((product, dim) => product * dim, 1);
    const weights = layer.weightShape.reduce((product, dim) => product * dim, 1);
    const channels = dims.length === 4 ? dims[1]! : dims.at(-1)!;
    return { ...layer, multiplications: outputs * weights / channels };
  });
}

/** Logits of the first `count` test images, and their scores. */
async function evaluate(
  { bytes, input, output }: OnnxFile,
  { dataset, count, runtime, normalisation, progress }: VerifyOptions,
): Promise<{ logits: Float32Array; top1Percent: number; loss: number; seconds: number; runtime: string }> {
  await using session = await OnnxSession.open(bytes, runtime);
  const batch = input.batch ?? BATCH, { classes } = output, logits = new Float32Array(count * classes);
  let seconds = 0, hits = 0, loss = 0;
  for (let start = 0; start < count; start += batch) {
    const images = Math.min(batch, count - start);
    const feed = feedOf(dataset, { start, images, batch: input.batch ?? images, type: input.type, normalisation });
    const ran = await session.run({ [input.name]: feed }, [output.name]);
    seconds += ran.seconds;
    logits.set((ran.values[output.name]!.data as Float32Array).subarray(0, images * classes), start * classes);
    progress?.(start + images);
  }
  for (let image = 0; image < count; image++) {
    const row = logits.subarray(image * classes, (image + 1) * classes), label = dataset.test.labels[image]!;
    const largest = row.reduce((most, value) => Math.max(most, value), -Infinity);
    if (row.indexOf(largest) === label) hits++;
    loss += largest + Math.log(row.reduce((sum, value) => sum + Math.exp(value - largest), 0)) - row[label]!;
  }
  return { logits, top1Percent: 100 * hits / count, loss: loss / count, seconds, runtime: session.runtime };
}

/** Test images as a network wants them; a batch that must be full is filled up with zeros. */
function feedOf(
  { imageShape, test }: Dataset,
  options: {
    start: number;
    images: number;
    batch: number;
    type: "uint8" | "float32";
    normalisation: VerifyOptions["normalisation"];
  },
): Values {
  const [height, width, channels] = imageShape, size = height * width * channels;
  const raw = new Uint8Array(options.batch * size);
  raw.set(test.images.subarray(options.start * size, (options.start + options.images) * size));
  const bytes = channelsFirst(raw, imageShape), dims = [options.batch, channels, height, width];
  if (options.type === "uint8") return { type: "uint8", data: bytes, dims };
  const { mean, std } = options.normalisation;
  const data = Float32Array.from(bytes, (value, i) => {
    const channel = Math.floor(i / (height * width)) % channels;
    return (value / 255 - mean[channel]!) / std[channel]!;
  });
  return { type: "float32", data, dims };
}

function differences(
  logits: Float32Array,
  { ownClasses, classes }: { ownClasses: Uint16Array; classes: number },
): DifferentImage[] {
  const found: DifferentImage[] = [];
  for (let image = 0; image * classes < logits.length; image++) {
    const row = logits.subarray(image * classes, (image + 1) * classes);
    const [best, second] = [...row].sort((a, b) => b - a), theirs = row.indexOf(best!), ours = ownClasses[image]!;
    if (theirs !== ours) found.push({ image, theirs, ours, margin: best! - second! });
  }
  return found;
}

/** Bits of each layer as `deno task export` states them; null: the file is another tool's. */
function statedBits({ metadata }: OnnxFile): Record<string, { weight: number; input: number }> | null {
  return metadata["bits"] === undefined ? null : JSON.parse(metadata["bits"]);
}

function problemsOf(
  file: OnnxFile,
  found: Pick<VerifyOptions, "count" | "recordedTop1"> & Pick<Verification, "layers" | "different" | "top1Percent">,
): string[] {
  const problems: string[] = [];
  const { recordedTop1, top1Percent, different } = found;
  const allowed = Math.max(allowedOf(found.count), different?.length ?? 0);
  if (
    !hasOwnClasses(file) && recordedTop1 !== null &&
    Math.abs(top1Percent - recordedTop1) * found.count / 100 > allowed + 1e-6
  ) {
    problems.push(`its accuracy is ${top1Percent.toFixed(2)} % and its record's is ${recordedTop1.toFixed(2)} %`);
  }
  const bits = statedBits(file);
  if (bits === null) return problems;
  for (const [path, { weight, input }] of Object.entries(bits)) {
    const layer = found.layers.find(({ name }) => name === path);
    if (!layer?.weight || !layer.input) problems.push(`layer ${path} must compute with integers and does not`);
    else if (layer.weight.levels > 2 ** weight || layer.weight.bits > weight) {
      problems.push(
        `the weight of ${path} has ${layer.weight.levels} levels of ${layer.weight.bits} bits, not of ${weight}`,
      );
    } else if (layer.input.bits > input) {
      problems.push(`the input of ${path} has ${layer.input.bits} bits, not ${input}`);
    }
  }
  return problems;
}
