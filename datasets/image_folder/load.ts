/** Image folders of the user's own, in the way of ImageNet: REQUANT_DATA/NAME/train/CLASS/* and val/CLASS/*. */
import { join } from "node:path";
import {
  asDataset,
  checksumsOf,
  type DecodedParts,
  emptyParts,
  labelsOf,
  type Manifest,
} from "../../src/data/manifest.ts";
import { readRecord, readStored, requireWritable, writeStored } from "../../src/data/stored.ts";
import type { DataOptions, Dataset, DatasetDefinition, DatasetFamily } from "../../src/data/types.ts";
import { InputError, messageOf } from "../../src/errors.ts";
import { classCounts, countImages, type ImageFile, type ImageListing, listImages, skippedEntries } from "./listing.ts";

const PREFIX = "folder:", PATTERN = "folder:NAME@SIDE";
/** One name, no path: what a spec names lies in REQUANT_DATA itself. */
const NAME = /^folder:([A-Za-z0-9_][A-Za-z0-9._-]*)@([1-9]\d{0,2})$/;
const SMALLEST_SIDE = 8, LARGEST_SIDE = 512, LOG_EVERY_IMAGES = 5000, BAD_SHOWN = 20;

/** Part of the origin of cached bytes: raised when files are decoded in another way. */
const DECODING = "square, triangle: 1";

/** Values of the machine that tests replace. */
export interface Surroundings {
  /** Bytes that decoded images may take. */
  readonly limitBytes: number;
  readonly ownData: string | undefined;
}

function surroundings(): Surroundings {
  // a training needs memory too, and every run has its own copy
  return { limitBytes: Deno.systemMemoryInfo().total / 2, ownData: Deno.env.get("REQUANT_DATA") };
}

function parseName(name: string): { folder: string; side: number } {
  const match = NAME.exec(name), side = Number(match?.[2]);
  if (!match || side < SMALLEST_SIDE || side > LARGEST_SIDE) {
    throw new InputError(
      `Cannot use data set "${name}" as it must be ${PATTERN}, NAME a folder in REQUANT_DATA and SIDE from ${SMALLEST_SIDE} ` +
        `to ${LARGEST_SIDE} pixels: write it such as folder:flowers@64`,
    );
  }
  return { folder: match[1]!, side };
}

function manifestOf(name: string, side: number, { classes, train, val }: ImageListing): Manifest {
  return {
    name,
    title: name,
    classes: classes.length,
    imageShape: [side, side, 3],
    trainCount: train.length,
    testCount: val.length,
    officialFiles: "its images",
  };
}

/** @throws {InputError} If the images would take more than the limit. */
function requireRoom({ name, imageShape, trainCount, testCount }: Manifest, limitBytes: number): void {
  const count = trainCount + testCount, [side] = imageShape, needed = count * 3 * side * side;
  if (needed <= limitBytes) return;
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toPrecision(3)} GB`;
  throw new InputError(
    `Cannot hold data set "${name}" in memory as ${count} images of ${side} x ${side} pixels take ${
      gigabytes(needed)
    } and ` +
      `half of this machine's memory is ${gigabytes(limitBytes)}: take a smaller side or fewer images`,
  );
}

async function decodeAll(
  manifest: Manifest,
  listing: ImageListing,
  log: (line: string) => void,
): Promise<DecodedParts> {
  // loaded here: most runs need no decoder
  const { squareDecoder } = await import("./decode.ts");
  const parts = emptyParts(manifest), decode = await squareDecoder(manifest.imageShape[0]);
  const total = listing.train.length + listing.val.length;
  const bad: string[] = [];
  let done = 0;
  const fill = async (files: readonly ImageFile[], images: Uint8Array, labels: Uint8Array<ArrayBuffer>) => {
    const numbers = labelsOf(labels, manifest), size = images.length / files.length;
    for (const [i, { path, label }] of files.entries()) {
      const image = await Deno.readFile(path).then(decode).catch((error) => {
        bad.push(`"${path}" (${messageOf(error)})`);
      });
      if (image) images.set(image, i * size);
      numbers[i] = label;
      if (++done % LOG_EVERY_IMAGES === 0) log(`${manifest.name}: ${done} of ${total} images decoded`);
    }
  };
  await fill(listing.train, parts.trainImages, parts.trainLabels);
  await fill(listing.val, parts.testImages, parts.testLabels);
  if (bad.length > 0) {
    const more = bad.length > BAD_SHOWN ? ` and ${bad.length - BAD_SHOWN} more` : "";
    throw new InputError(
      `Cannot use data set "${manifest.name}" as ${bad.length} of ${total} files cannot be read as images: ` +
        `${bad.slice(0, BAD_SHOWN).join(", ")}${more}: replace them or take them away`,
    );
  }
  return parts;
}

/**
 * Loads an image folder: its files are listed every time and decoded once, into the cache; when one of them changes, all are
 * decoded anew, and the SHA-256 of the data set is another.
 *
 * @throws {InputError} If the name, the folder or a file cannot be used, or the images do not fit into memory.
 */
export async function loadImageFolder(
  name: string,
  options: DataOptions & { readonly surroundings?: Surroundings },
): Promise<Dataset> {
  const { folder, side } = parseName(name), { cache, log = () => {} } = options;
  const { limitBytes, ownData } = options.surroundings ?? surroundings();
  if (!ownData) {
    throw new InputError(
      `Cannot use data set "${name}" as REQUANT_DATA is not set: set it to the folder that "${folder}" lies in`,
    );
  }
  const listing = listImages(join(ownData, folder), name), manifest = manifestOf(name, side, listing);
  requireRoom(manifest, limitBytes);
  const skipped = skippedEntries(listing);
  log(`${name}: ${classCounts(listing)}`);
  if (skipped !== null) log(`${name}: ${skipped}`);
  const origin = `${DECODING}: ${listing.origin}`, place = join(cache, `folder-${folder}@${side}`);
  const record = options.fresh ? null : await readRecord(place, manifest);
  if (record?.origin === origin) {
    const known = { ...manifest, ...record }, stored = await readStored(place, known);
    if (stored) return asDataset(stored, known);
  }
  await requireWritable(place);
  log(`${name}: decoding ${manifest.trainCount} training and ${manifest.testCount} test images`);
  const parts = await decodeAll(manifest, listing, log), checksums = checksumsOf(parts);
  await writeStored(place, parts, { replace: true, record: { ...checksums, origin } });
  return asDataset(parts, { ...manifest, ...checksums });
}

export const imageFolder: DatasetFamily = {
  prefix: PREFIX,
  pattern: PATTERN,
  title: "your own images, in REQUANT_DATA/NAME/train/CLASS and val/CLASS, as squares of SIDE pixels",
  named(name): DatasetDefinition {
    const { folder, side } = parseName(name);
    return {
      name,
      title: name,
      sizes() {
        const ownData = Deno.env.get("REQUANT_DATA");
        const counts = ownData ? countImages(join(ownData, folder)) : null;
        return counts && { ...counts, imageShape: [side, side, 3] };
      },
      load: (options) => loadImageFolder(name, options),
    };
  },
};
