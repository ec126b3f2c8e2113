/** The sources of Fashion-MNIST, in the order in which they are tried. */
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { gunzipAtMost } from "../../src/data/archive.ts";
import { download } from "../../src/data/download.ts";
import { decodeIdx } from "../../src/data/idx.ts";
import { type DecodedParts, emptyParts, PARTS, sizesOf } from "../../src/data/manifest.ts";
import {
  loadFromSources,
  NotThere,
  ofFile,
  ownFolder,
  type Source,
  type SourceContext,
} from "../../src/data/sources.ts";
import type { DatasetDefinition } from "../../src/data/types.ts";
import { DEBIAN_FOLDER, FILES, MANIFEST, OFFICIAL_FOLDER } from "./manifest.ts";

const IDX_HEADER_BYTES = 1024;

/** All parts from their official files. @param read Gives the bytes of a file by its name. */
async function decodeFiles(
  { manifest }: SourceContext,
  read: (file: string) => Promise<Uint8Array>,
): Promise<DecodedParts> {
  const parts = emptyParts(manifest);
  for (const part of PARTS) {
    const file = FILES[part], bytes = await read(file);
    await ofFile(file, () => {
      const { values } = decodeIdx(gunzipAtMost(bytes, parts[part].length + IDX_HEADER_BYTES));
      if (values.length !== parts[part].length) {
        throw new Error(`it holds ${values.length} values instead of ${parts[part].length}`);
      }
      parts[part].set(values);
    });
  }
  return parts;
}

/** @throws {NotThere} If none of the files is there. */
async function decodeFolder(folder: string, context: SourceContext): Promise<DecodedParts> {
  const found = await Promise.all(
    Object.values(FILES).map((file) => Deno.stat(join(folder, file)).then(() => true, () => false)),
  );
  if (!found.includes(true)) throw new NotThere(`"${folder}" has no ${FILES.trainImages}`);
  return await decodeFiles(context, (file) => Deno.readFile(join(folder, file)));
}

/** All sources but the cache. */
export function fashionMnistSources(debianFolder: string = DEBIAN_FOLDER): Source[] {
  return [
    {
      title: "REQUANT_DATA",
      own: true,
      fetch: async (context) => await decodeFolder(await ownFolder(context), context),
    },
    {
      title: "the Debian package dataset-fashion-mnist",
      fetch: async (context) => await decodeFolder(debianFolder, context),
    },
    {
      title: "the official files",
      async fetch(context) {
        context.log(`${context.manifest.title}: asking for the official files (31 MB)`);
        return await decodeFiles(context, async (file) => {
          const chunks: Uint8Array[] = [];
          for await (const chunk of download(OFFICIAL_FOLDER + file, { fetch: context.fetch })) chunks.push(chunk);
          return Buffer.concat(chunks);
        });
      },
    },
  ];
}

export const fashionMnist: DatasetDefinition = {
  name: MANIFEST.name,
  title: "Fashion-MNIST, 70,000 grey images of 28 x 28 pixels in 10 classes",
  sizes: () => sizesOf(MANIFEST),
  load: (options) => loadFromSources(MANIFEST, { ...options, sources: fashionMnistSources() }),
};
