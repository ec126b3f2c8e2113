import { createHash } from "node:crypto";
import type { Dataset } from "./types.ts";

/** The parts of a decoded data set, in the order in which they are hashed. */
export const PARTS = ["trainImages", "trainLabels", "testImages", "testLabels"] as const;
export type Part = typeof PARTS[number];

/** The decoded bytes of a data set: images [count, height, width, channels], labels [count]. */
export type DecodedParts = Readonly<Record<Part, Uint8Array<ArrayBuffer>>>;

/** File of each part in a cache folder. */
export const PART_FILES: Readonly<Record<Part, string>> = {
  trainImages: "train-images.u8",
  trainLabels: "train-labels.u8",
  testImages: "test-images.u8",
  testLabels: "test-labels.u8",
};

/** What is known of a data set before it is read. */
export interface Manifest {
  readonly name: string;
  readonly title: string;
  readonly classes: number;
  /** [height, width, channels]. */
  readonly imageShape: readonly [number, number, number];
  /** Per channel of the training images, of values divided by 255. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly trainCount: number;
  readonly testCount: number;
  /** SHA-256 of all parts, one after the other in the order of `PARTS`. */
  readonly sha256: string;
  /** SHA-256 of each part: says which one is damaged. */
  readonly partSha256: Readonly<Record<Part, string>>;
  /** What to put into the folder REQUANT_DATA, for people. */
  readonly officialFiles: string;
}

/** Bytes that each part must have. */
export function partSizes(manifest: Manifest): Record<Part, number> {
  const { imageShape: [height, width, channels], trainCount, testCount } = manifest, size = height * width * channels;
  return {
    trainImages: trainCount * size,
    trainLabels: trainCount,
    testImages: testCount * size,
    testLabels: testCount,
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

/** Where decoded bytes depart from the manifest. */
export interface Fault {
  readonly part: Part;
  /** Such as `it has 3 bytes instead of 4`. */
  readonly reason: string;
}

/** The first part that is not as the manifest says; null if all are. */
export function findFault(parts: DecodedParts, manifest: Manifest): Fault | null {
  const sizes = partSizes(manifest);
  for (const part of PARTS) {
    const length = parts[part].length;
    if (length !== sizes[part]) return { part, reason: `it has ${length} bytes instead of ${sizes[part]}` };
  }
  if (sha256Of(...PARTS.map((part) => parts[part])) === manifest.sha256) return null;
  for (const part of PARTS) {
    const sha256 = sha256Of(parts[part]), expected = manifest.partSha256[part];
    if (sha256 !== expected) return { part, reason: `its SHA-256 is ${sha256} instead of ${expected}` };
  }
  throw new Error(`The manifest of ${manifest.name} contradicts itself: its parts are right and their whole is not`);
}

/** Decoded bytes as the rest of Requant sees them; nothing is copied. */
export function asDataset(parts: DecodedParts, manifest: Manifest): Dataset {
  const { name, classes, imageShape, mean, std, sha256, trainCount, testCount } = manifest;
  return {
    name,
    classes,
    imageShape,
    mean,
    std,
    sha256,
    train: { images: parts.trainImages, labels: parts.trainLabels, count: trainCount },
    test: { images: parts.testImages, labels: parts.testLabels, count: testCount },
  };
}
