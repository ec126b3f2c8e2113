import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { ARCHIVE, cifar100Sources, MANIFEST } from "../../datasets/cifar100/load.ts";
import { checksumsOf, type Manifest } from "../../src/data/manifest.ts";
import { loadFromSources, type World } from "../../src/data/sources.ts";
import { offline, PARTS_FIXTURE, tarGz, withFolder } from "../data/fixtures.ts";

const TINY: Manifest = {
  name: "tiny100",
  title: "Tiny-100",
  classes: 100,
  imageShape: [4, 4, 3],
  trainCount: 10,
  testCount: 2,
  officialFiles: "tiny.tar.gz",
};

/** A file in the official format: coarse label, fine label, red plane, green plane, blue plane. */
function binary(images: Uint8Array, labels: Uint8Array): Uint8Array {
  const bytes: number[] = [];
  for (let i = 0; i < labels.length; i++) {
    bytes.push(labels[i]! + 77, labels[i]!);
    for (let c = 0; c < 3; c++) for (let pixel = 0; pixel < 16; pixel++) bytes.push(images[i * 48 + 3 * pixel + c]!);
  }
  return Uint8Array.from(bytes);
}

const { trainImages, trainLabels, testImages, testLabels } = PARTS_FIXTURE;
const FILES = {
  "cifar-100-binary/fine_label_names.txt": Uint8Array.of(97, 10),
  "cifar-100-binary/test.bin": binary(testImages, testLabels),
  "cifar-100-binary/train.bin": binary(trainImages, trainLabels),
};
const archive = await tarGz(FILES), md5Of = (bytes: Uint8Array) => createHash("md5").update(bytes).digest("hex");

async function load(folder: string, world: World, md5 = md5Of(archive)) {
  return await loadFromSources(TINY, { cache: join(folder, "cache"), world, sources: cifar100Sources(md5) });
}

Deno.test("cifar100 decodes the archive in REQUANT_DATA and from the network: pixels and fine labels", async () => {
  const network: typeof fetch = (url) => {
    assert.equal(String(url), ARCHIVE.url);
    return Promise.resolve(new Response(archive));
  };
  for (const own of [true, false]) {
    await withFolder(async (folder) => {
      if (own) await Deno.writeFile(join(folder, ARCHIVE.file), archive);
      const { train, test, sha256 } = await load(folder, offline(own ? { env: () => folder } : { fetch: network }));
      assert.deepEqual([...train.images], [...trainImages]);
      assert.deepEqual([...train.labels], [...trainLabels]);
      assert.deepEqual([...test.images], [...testImages]);
      assert.deepEqual([...test.labels], [...testLabels]);
      assert.equal(sha256, checksumsOf(PARTS_FIXTURE).sha256);
    });
  }
});

Deno.test("cifar100 refuses another, a cut and an incomplete archive in REQUANT_DATA, each with its reason", async () => {
  const { "cifar-100-binary/test.bin": _, ...trainOnly } = FILES, incomplete = await tarGz(trainOnly);
  const short = await tarGz({ ...FILES, "cifar-100-binary/train.bin": new Uint8Array(499) });
  const cases: [Uint8Array, string, string][] = [
    [archive, ARCHIVE.md5, `the archive's MD5 is ${md5Of(archive)} instead of ${ARCHIVE.md5}`],
    [archive.subarray(0, archive.length - 20), md5Of(archive), "unexpected end of file"],
    [incomplete, md5Of(incomplete), "it has no test.bin"],
    [short, md5Of(short), "train.bin has 499 bytes instead of 500"],
  ];
  for (const [bytes, md5, reason] of cases) {
    await withFolder(async (folder) => {
      await Deno.writeFile(join(folder, ARCHIVE.file), bytes);
      await assert.rejects(load(folder, offline({ env: () => folder }), md5), {
        name: "InputError",
        message: `Cannot use the files in REQUANT_DATA (${folder}) as ${ARCHIVE.file} is damaged (${reason}): ` +
          "put tiny.tar.gz there, or unset REQUANT_DATA",
      });
      assert.throws(() => Deno.readDirSync(join(folder, "cache")));
    });
  }
});

Deno.test("an archive in REQUANT_DATA that cannot be opened is said, and no other source is tried", () =>
  withFolder(async (folder) => {
    Deno.symlinkSync(ARCHIVE.file, join(folder, ARCHIVE.file));
    await assert.rejects(load(folder, offline({ env: () => folder })), {
      name: "InputError",
      message:
        /^Cannot use the files in REQUANT_DATA \(.*\) as Too many levels of symbolic links .*: put tiny\.tar\.gz/,
    });
  }));

Deno.test("cifar100 lists its sources and why each failed where there is no network", async () => {
  await withFolder(async (folder) => {
    await assert.rejects(load(folder, offline({ env: () => folder })), {
      name: "InputError",
      message: `Cannot get the data set "tiny100" as every source failed (REQUANT_DATA: "${folder}" has no ` +
        "cifar-100-binary.tar.gz; the official archive: the server cannot be reached (no route to host)): " +
        "connect to the network, or set REQUANT_DATA to a folder with tiny.tar.gz",
    });
  });
});

Deno.test("cifar100's manifest has the official counts and MD5, and no checksum that nobody has measured", () => {
  const { classes, imageShape, trainCount, testCount, sha256 } = MANIFEST;
  assert.deepEqual([classes, trainCount, testCount, ...imageShape], [100, 50_000, 10_000, 32, 32, 3]);
  assert.equal(ARCHIVE.md5, "03b5dce01913d631647c71ecec9e9cb8");
  assert.equal(sha256, undefined);
});
