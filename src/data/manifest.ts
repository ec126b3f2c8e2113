import { createHash } from "node:crypto";
import { InputError } from "../errors.ts";
import { type ChannelStatistics, channelStatistics } from "./statistics.ts";
import type { Dataset, DatasetSizes, Labels } from "./types.ts";

/** The parts of a decoded data set, in the order in which they are hashed. */
export const PARTS = ["trainImages", "trainLabels", "testImages", "testLabels"] as const;
export type Part = typeof PARTS[number];

/**
 * The decoded bytes of a data set: images [count, height, width, channels], labels [count], of two bytes each, the low one first,
 * where there are more than 256 classes.
 */
export type DecodedParts = Readonly<Record<Part, Uint8Array<ArrayBuffer>>>;

/** File of each part in a cache folder. */
export const PART_FILES: Readonly<Record<Part, string>> = {
  trainImages: "train-images.u8",
  trainLabels: "train-labels.u8",
  testImages: "test-images.u8",
  testLabels: "test-labels.u8",
};

/** SHA-256 of decoded bytes. */
export interface Checksums {
  /** Checksum of all parts, one after the other in the order of `PARTS`. */
  readonly sha256: string;
  /** Checksum of each part: shows which one is damaged. */
  readonly partSha256: Readonly<Record<Part, string>>;
}

/** Facts known about a data set before it is read. Missing checksums or channel statistics are measured. */
export interface Manifest extends Partial<Checksums>, Partial<ChannelStatistics> {
  readonly name: string;
  readonly title: string;
  readonly classes: number;
  /** [height, width, channels]. */
  readonly imageShape: readonly [number, number, number];
  readonly trainCount: number;
  readonly testCount: number;
  /** Files to put into the folder REQUANT_DATA, for people. */
  readonly officialFiles: string;
}

/** A manifest that leaves nothing out. */
export type CompleteManifest = Manifest & Checksums & ChannelStatistics;

/** Bytes of one label. */
function labelBytes({ classes }: Pick<Manifest, "classes">): 1 | 2 {
  return classes > 256 ? 2 : 1;
}

/** Labels as numbers; nothing is copied unless their place in memory is odd. */
export function labelsOf(bytes: Uint8Array<ArrayBuffer>, manifest: Pick<Manifest, "classes">): Labels {
  if (labelBytes(manifest) === 1) return bytes;
  // every machine that Deno runs on puts the low byte first
  const even = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  return new Uint16Array(even.buffer, even.byteOffset, even.length / 2);
}

/** Returns how many images a data set of a manifest has, and how large they are. */
export function sizesOf(
  { trainCount, testCount, imageShape }: Pick<Manifest, "trainCount" | "testCount" | "imageShape">,
): DatasetSizes {
  return { train: trainCount, test: testCount, imageShape };
}

/** Bytes that each part must have. */
export function partSizes(manifest: Manifest): Record<Part, number> {
  const { imageShape: [height, width, channels], trainCount, testCount } = manifest, size = height * width * channels;
  return {
    trainImages: trainCount * size,
    trainLabels: trainCount * labelBytes(manifest),
    testImages: testCount * size,
    testLabels: testCount * labelBytes(manifest),
  };
}

/** Zeros of the right sizes, for a decoder to fill. */
export function emptyParts(manifest: Manifest): DecodedParts {
  const sizes = partSizes(manifest);
  return Object.fromEntries(PARTS.map((part) => [part, new Uint8Array(sizes[part])])) as unknown as DecodedParts;
}

/** SHA-256 in hex of byte arrays, one after the other. */
export function sha256Of(...arrays: readonly Uint8Array[]): string {
  const hash = createHash("sha256");
  for (const bytes of arrays) hash.update(bytes);
  return hash.digest("hex");
}

/** Checksums of decoded bytes. */
export function checksumsOf(parts: DecodedParts): Checksums {
  return {
    sha256: sha256Of(...PARTS.map((part) => parts[part])),
    partSha256: Object.fromEntries(PARTS.map((part) => [part, sha256Of(parts[part])])) as Record<Part, string>,
  };
}

/** Where decoded bytes depart from the manifest. */
export interface Fault {
  readonly part: Part;
  /** Such as `it has 3 bytes instead of 4`. */
  readonly reason: string;
}

/** The first part that is not as the manifest says; null if all are. Without checksums, sizes and labels are looked at. */
export function findFault(parts: DecodedParts, manifest: Manifest): Fault | null {
  const sizes = partSizes(manifest);
  for (const part of PARTS) {
    const length = parts[part].length;
    if (length !== sizes[part]) return { part, reason: `it has ${length} bytes instead of ${sizes[part]}` };
  }
  if (manifest.sha256 === undefined) return labelFault(parts, manifest);
  if (sha256Of(...PARTS.map((part) => parts[part])) === manifest.sha256) return null;
  for (const part of PARTS) {
    const sha256 = sha256Of(parts[part]), expected = manifest.partSha256?.[part];
    if (sha256 !== expected) return { part, reason: `its SHA-256 is ${sha256} instead of ${expected}` };
  }
  throw new Error(`The manifest of ${manifest.name} contradicts itself: its parts are right and their whole is not`);
}

function labelFault(parts: DecodedParts, manifest: Manifest): Fault | null {
  for (const part of ["trainLabels", "testLabels"] as const) {
    const wrong = labelsOf(parts[part], manifest).find((label) => label >= manifest.classes);
    if (wrong !== undefined) {
      return { part, reason: `it has the label ${wrong}, and there are ${manifest.classes} classes` };
    }
  }
  return null;
}

/**
 * Decoded bytes as the rest of Requant sees them; nothing is copied, and what the manifest leaves out is measured.
 * @throws {InputError} If a channel of the training images never varies: no standard deviation scales it.
 */
export function asDataset(parts: DecodedParts, manifest: Manifest): Dataset {
  const { name, classes, imageShape, trainCount, testCount } = manifest;
  const { mean, std } = manifest.mean && manifest.std
    ? manifest as ChannelStatistics
    : channelStatistics(parts.trainImages, imageShape[2]);
  const flat = std.findIndex((deviation) => !(deviation > 0));
  if (flat >= 0) {
    throw new InputError(
      `Cannot use data set "${name}" as channel ${flat + 1} of ${imageShape[2]} of its training images is ` +
        `${Math.round(255 * mean[flat]!)} everywhere: add images in which it varies, or leave that channel out`,
    );
  }
  return {
    name,
    classes,
    imageShape,
    mean,
    std,
    sha256: manifest.sha256 ?? checksumsOf(parts).sha256,
    train: { images: parts.trainImages, labels: labelsOf(parts.trainLabels, manifest), count: trainCount },
    test: { images: parts.testImages, labels: labelsOf(parts.testLabels, manifest), count: testCount },
  };
}
