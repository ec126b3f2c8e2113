/** Decoded data sets in the cache: four files of bytes, checked against the manifest's SHA-256 whenever they are read. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Dataset } from "../src/data/types.ts";
import { InputError, messageOf } from "../src/errors.ts";

/** The decoded bytes of a data set. */
export interface DecodedFiles {
  readonly trainImages: Uint8Array<ArrayBuffer>;
  readonly trainLabels: Uint8Array<ArrayBuffer>;
  readonly testImages: Uint8Array<ArrayBuffer>;
  readonly testLabels: Uint8Array<ArrayBuffer>;
}

/** What is known of a data set before it is read. */
export interface Manifest {
  readonly name: string;
  readonly classes: number;
  readonly imageShape: readonly [number, number, number];
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly trainCount: number;
  readonly testCount: number;
  /** SHA-256 of train images, train labels, test images, test labels, one after the other. */
  readonly sha256: string;
}

const FILES = {
  trainImages: "train-images.u8",
  trainLabels: "train-labels.u8",
  testImages: "test-images.u8",
  testLabels: "test-labels.u8",
} as const;
const KEYS = ["trainImages", "trainLabels", "testImages", "testLabels"] as const;

/** SHA-256 of the decoded bytes. */
export function decodedSha256(files: DecodedFiles): string {
  const hash = createHash("sha256");
  for (const key of KEYS) hash.update(files[key]);
  return hash.digest("hex");
}

/** Why `files` are not the data set of the manifest; null if they are. */
export function faultOf(files: DecodedFiles, manifest: Manifest): string | null {
  const size = manifest.imageShape.reduce((product, dim) => product * dim, 1);
  const expected = {
    trainImages: manifest.trainCount * size,
    trainLabels: manifest.trainCount,
    testImages: manifest.testCount * size,
    testLabels: manifest.testCount,
  };
  for (const key of KEYS) {
    if (files[key].length !== expected[key]) {
      return `${FILES[key]} has ${files[key].length} bytes instead of ${expected[key]}`;
    }
  }
  const sha256 = decodedSha256(files);
  return sha256 === manifest.sha256 ? null : `its SHA-256 is ${sha256} instead of ${manifest.sha256}`;
}

/** The data set as the rest of Requant sees it. */
export function asDataset(files: DecodedFiles, manifest: Manifest): Dataset {
  const { name, classes, imageShape, mean, std, sha256 } = manifest;
  return {
    name,
    classes,
    imageShape,
    mean,
    std,
    sha256,
    train: { images: files.trainImages, labels: files.trainLabels, count: manifest.trainCount },
    test: { images: files.testImages, labels: files.testLabels, count: manifest.testCount },
  };
}

/**
 * Reads the cached data set.
 * @returns Null if it is not there.
 * @throws {InputError} If a byte of it is not as it must be.
 */
export async function readStored(folder: string, manifest: Manifest): Promise<DecodedFiles | null> {
  const read: Partial<Record<typeof KEYS[number], Uint8Array<ArrayBuffer>>> = {};
  try {
    for (const key of KEYS) read[key] = await Deno.readFile(join(folder, FILES[key]));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw new InputError(
      `Cannot read the data set in "${folder}" as ${messageOf(error)}: delete that folder to fetch it again`,
    );
  }
  const files = read as DecodedFiles, fault = faultOf(files, manifest);
  if (fault === null) return files;
  throw new InputError(
    `Cannot use the data set in "${folder}" as ${fault}: delete that folder and run \`deno task data ${manifest.name}\``,
  );
}

/** Writes to a folder beside `folder`, then renames: other processes see all of it or nothing. */
export async function writeStored(folder: string, files: DecodedFiles): Promise<void> {
  const temporary = `${folder}.${Deno.pid}.tmp`;
  try {
    await Deno.mkdir(temporary, { recursive: true });
    for (const key of KEYS) await Deno.writeFile(join(temporary, FILES[key]), files[key]);
    await Deno.rename(temporary, folder);
  } catch (error) {
    await Deno.remove(temporary, { recursive: true }).catch(() => {});
    // another process was first: its folder is as good as ours
    if (await Deno.stat(join(folder, FILES.testLabels)).then(() => true, () => false)) return;
    throw new InputError(
      `Cannot write the data set to "${folder}" as ${messageOf(error)}: set REQUANT_CACHE to a folder with room`,
    );
  }
}
