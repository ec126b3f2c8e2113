/** The sources of Fashion-MNIST, in the order in which they are tried. */
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { gunzipAtMost } from "../../src/data/archive.ts";
import { download } from "../../src/data/download.ts";
import {
  type CompleteManifest,
  type DecodedParts,
  emptyParts,
  type Part,
  PARTS,
  sizesOf,
} from "../../src/data/manifest.ts";
import {
  loadFromSources,
  NotThere,
  ofFile,
  ownFolder,
  type Source,
  type SourceContext,
} from "../../src/data/sources.ts";
import type { DatasetDefinition } from "../../src/data/types.ts";

/**
 * Fashion-MNIST: 60,000 training and 10,000 test images of 28 x 28 grey pixels in 10 classes (Xiao, Rasul, Vollgraf 2017,
 * arXiv:1708.07747). Sources and licence: README.md.
 */
export const MANIFEST: CompleteManifest = {
  name: "fashion_mnist",
  title: "Fashion-MNIST",
  classes: 10,
  imageShape: [28, 28, 1],
  mean: [0.2860406],
  std: [0.35302424],
  trainCount: 60_000,
  testCount: 10_000,
  sha256: "ca3ab2a37f845e1b8ae23cab1b51749a3011ba3bf1d9016176d75cbaabac376f",
  partSha256: {
    trainImages: "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
    trainLabels: "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
    testImages: "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
    testLabels: "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
  },
  officialFiles: "its four files such as train-images-idx3-ubyte.gz",
};

/** The official file of each part, IDX under gzip. */
export const FILES: Readonly<Record<Part, string>> = {
  trainImages: "train-images-idx3-ubyte.gz",
  trainLabels: "train-labels-idx1-ubyte.gz",
  testImages: "t10k-images-idx3-ubyte.gz",
  testLabels: "t10k-labels-idx1-ubyte.gz",
};

/** Where the authors put the files. */
export const OFFICIAL_FOLDER = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/";

/** Where the Debian package puts the files. */
export const DEBIAN_FOLDER = "/usr/share/datasets/fashion-mnist";

/** Bytes with a shape. */
export interface IdxArray {
  readonly shape: readonly number[];
  /** A view of the file's bytes. */
  readonly values: Uint8Array;
}

/**
 * Reads an array of bytes in IDX, the format of MNIST: 0, 0, 8 (unsigned byte), number of dimensions, each dimension as a
 * big-endian uint32, then the values, the last dimension fastest.
 *
 * @throws {Error} If it is of another format or another length than its header says.
 * @see LeCun, Cortes, Burges, "The MNIST database of handwritten digits", section "File formats"
 */
export function decodeIdx(file: Uint8Array): IdxArray {
  const rank = file[3] ?? 0, header = 4 + 4 * rank;
  if (file[0] !== 0 || file[1] !== 0 || file[2] !== 8 || rank === 0 || file.length < header) {
    throw new Error("it is no IDX file of bytes");
  }
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const size = shape.reduce((product, dim) => product * dim, 1), values = file.subarray(header);
  if (values.length !== size) throw new Error(`it holds ${values.length} values where its header says ${size}`);
  return { shape, values };
}

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
