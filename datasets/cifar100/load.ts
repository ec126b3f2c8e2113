/** The sources of CIFAR-100, in the order in which they are tried; labels are the fine ones. */
import { basename } from "node:path";
import { mostBytesOf, readKnownTarGz } from "../../src/data/archive.ts";
import { decodeCifarBinary } from "../../src/data/cifar_binary.ts";
import { emptyParts, type Manifest, sizesOf } from "../../src/data/manifest.ts";
import {
  archiveIn,
  type DecodeArchive,
  loadFromSources,
  NotThere,
  officialArchive,
  ownFolder,
  type Source,
} from "../../src/data/sources.ts";
import type { DatasetDefinition } from "../../src/data/types.ts";

/**
 * CIFAR-100: 50,000 training and 10,000 test images of 32 x 32 pixels in 100 classes (Krizhevsky 2009, "Learning multiple
 * layers of features from tiny images", chapter 3). Sources, licence, and why there are no checksums: README.md.
 */
export const MANIFEST: Manifest = {
  name: "cifar100",
  title: "CIFAR-100",
  classes: 100,
  imageShape: [32, 32, 3],
  trainCount: 50_000,
  testCount: 10_000,
  officialFiles: "cifar-100-binary.tar.gz",
};

/** The official archive. */
export const ARCHIVE = {
  url: "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
  file: "cifar-100-binary.tar.gz",
  md5: "03b5dce01913d631647c71ecec9e9cb8",
} as const;

/**
 * Decodes the official archive while it is read.
 * @throws {Error} If it is damaged, incomplete, or its MD5 is another.
 */
const decoder = (md5: string): DecodeArchive => async (archive, manifest) => {
  const parts = emptyParts(manifest), [height, width] = manifest.imageShape;
  const places = {
    "train.bin": { images: parts.trainImages, labels: parts.trainLabels },
    "test.bin": { images: parts.testImages, labels: parts.testLabels },
  };
  const missing = new Set(Object.keys(places));
  await readKnownTarGz(archive, { md5, mostBytes: mostBytesOf(manifest) }, async ({ path, bytes }) => {
    const file = basename(path);
    if (!missing.delete(file)) return;
    const place = places[file as keyof typeof places];
    decodeCifarBinary(await bytes(), place, { file, pixels: height * width, labelBytes: 2 });
  });
  if (missing.size > 0) throw new Error(`it has no ${[...missing].join(", ")}`);
  return parts;
};

/** All sources but the cache. @param md5 Of the official archive. */
export function cifar100Sources(md5: string = ARCHIVE.md5): Source[] {
  const { url, file } = ARCHIVE, decode = decoder(md5);
  return [
    {
      title: "REQUANT_DATA",
      own: true,
      async fetch({ manifest, env }) {
        const folder = await ownFolder({ env }), parts = await archiveIn(folder, { file, manifest, decode });
        if (!parts) throw new NotThere(`"${folder}" has no ${file}`);
        return parts;
      },
    },
    officialArchive({ url, megabytes: 169, decode }),
  ];
}

export const cifar100: DatasetDefinition = {
  name: MANIFEST.name,
  title: "CIFAR-100, 60,000 colour images of 32 x 32 pixels in 100 classes",
  sizes: () => sizesOf(MANIFEST),
  load: (options) => loadFromSources(MANIFEST, { ...options, sources: cifar100Sources() }),
};
