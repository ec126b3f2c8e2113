import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { fashionMnistSources, FILES } from "../../datasets/fashion_mnist/load.ts";
import { PARTS } from "../../src/data/manifest.ts";
import { loadFromSources, type World } from "../../src/data/sources.ts";
import { MANIFEST_FIXTURE, offline, PARTS_FIXTURE, withFolder } from "../data/fixtures.ts";

/** A part as IDX of one dimension, under gzip. */
function idxGz(values: Uint8Array): Uint8Array<ArrayBuffer> {
  const header = Buffer.from([0, 0, 8, 1, 0, 0, 0, 0]);
  header.writeUInt32BE(values.length, 4);
  return new Uint8Array(gzipSync(Buffer.concat([header, values])));
}

async function writeFiles(folder: string): Promise<void> {
  for (const part of PARTS) await Deno.writeFile(join(folder, FILES[part]), idxGz(PARTS_FIXTURE[part]));
}

async function load(folder: string, options: { world: World; debian?: string }) {
  const sources = fashionMnistSources(options.debian ?? join(folder, "none"));
  return await loadFromSources(MANIFEST_FIXTURE, { cache: join(folder, "cache"), world: options.world, sources });
}

Deno.test("fashion_mnist decodes REQUANT_DATA, the Debian folder and the network to the same bytes", async () => {
  const byName = new Map(PARTS.map((part) => [FILES[part], idxGz(PARTS_FIXTURE[part])]));
  const network: typeof fetch = (url) => Promise.resolve(new Response(byName.get(String(url).split("/").at(-1)!)));
  for (const from of ["own", "debian", "network"]) {
    await withFolder(async (folder) => {
      await writeFiles(folder);
      const world = offline({
        ...(from === "own" ? { env: () => folder } : {}),
        ...(from === "network" ? { fetch: network } : {}),
      });
      const { train, test } = await load(folder, { world, ...(from === "debian" ? { debian: folder } : {}) });
      assert.deepEqual([...train.images], [...PARTS_FIXTURE.trainImages]);
      assert.deepEqual([...test.labels], [...PARTS_FIXTURE.testLabels]);
    });
  }
});

Deno.test("fashion_mnist names the file in REQUANT_DATA that is cut", async () => {
  await withFolder(async (folder) => {
    await writeFiles(folder);
    const path = join(folder, FILES.testImages);
    await Deno.truncate(path, 30);
    await assert.rejects(load(folder, { world: offline({ env: () => folder }), debian: folder }), {
      name: "InputError",
      message: `Cannot use the files in REQUANT_DATA (${folder}) as t10k-images-idx3-ubyte.gz is damaged ` +
        "(unexpected end of file): put tiny.tar.gz there, or unset REQUANT_DATA",
    });
  });
});

Deno.test("fashion_mnist lists its sources and why each failed where there is no network", async () => {
  await withFolder(async (folder) => {
    await assert.rejects(load(folder, { world: offline() }), {
      name: "InputError",
      message: 'Cannot get the data set "tiny" as every source failed (REQUANT_DATA: it is not set; ' +
        `the Debian package dataset-fashion-mnist: "${join(folder, "none")}" has no train-images-idx3-ubyte.gz; ` +
        "the official files: the server cannot be reached (no route to host)): " +
        "connect to the network, or set REQUANT_DATA to a folder with tiny.tar.gz",
    });
  });
});
