import assert from "node:assert/strict";
import { join } from "node:path";
import { asDataset, PART_FILES, PARTS } from "../../src/data/manifest.ts";
import { readRecord, readStored, writeStored } from "../../src/data/stored.ts";
import { MANIFEST_FIXTURE, PARTS_FIXTURE, withFolder } from "./fixtures.ts";

const OTHER_PARTS = { ...PARTS_FIXTURE, trainLabels: new Uint8Array(10) };
const names = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

Deno.test("readStored() gives what writeStored() put there, and nothing else is left", async () => {
  await withFolder(async (cache) => {
    const folder = join(cache, "new", "tiny");
    await writeStored(folder, PARTS_FIXTURE, { replace: false });
    const parts = await readStored(folder, MANIFEST_FIXTURE);
    for (const part of PARTS) assert.deepEqual([...parts![part]], [...PARTS_FIXTURE[part]]);
    assert.deepEqual(names(join(cache, "new")), ["tiny"]);
    assert.deepEqual(names(folder), Object.values(PART_FILES).sort());
  });
});

Deno.test("readStored() gives null where there is no folder", async () => {
  await withFolder(async (cache) => assert.equal(await readStored(join(cache, "tiny"), MANIFEST_FIXTURE), null));
});

Deno.test("readStored() finds one flipped bit in any of the files and names the file", async () => {
  await withFolder(async (cache) => {
    const folder = join(cache, "tiny");
    await writeStored(folder, PARTS_FIXTURE, { replace: false });
    for (const part of PARTS) {
      const path = join(folder, PART_FILES[part]), bytes = await Deno.readFile(path), whole = bytes.slice();
      bytes[bytes.length - 1]! ^= 1;
      await Deno.writeFile(path, bytes);
      await assert.rejects(readStored(folder, MANIFEST_FIXTURE), (error: Error) => {
        assert.equal(error.name, "InputError");
        assert.match(error.message, /^Cannot use ".*" as its SHA-256 is [0-9a-f]{64} instead of [0-9a-f]{64}: delete /);
        assert.ok(error.message.includes(path) && error.message.includes(MANIFEST_FIXTURE.partSha256[part]));
        assert.ok(error.message.endsWith(
          `: delete the folder "${folder}" or run \`deno task data tiny --fresh\` to fetch it again`,
        ));
        return true;
      });
      await Deno.writeFile(path, whole);
    }
    assert.ok(await readStored(folder, MANIFEST_FIXTURE));
  });
});

Deno.test("readStored() names a file that is cut or missing", async () => {
  await withFolder(async (cache) => {
    const folder = join(cache, "tiny"), path = join(folder, "test-images.u8");
    await writeStored(folder, PARTS_FIXTURE, { replace: false });
    await Deno.truncate(path, 95);
    await assert.rejects(readStored(folder, MANIFEST_FIXTURE), {
      name: "InputError",
      message: new RegExp(`^Cannot use "${path}" as it has 95 bytes instead of 96: delete the folder`),
    });
    await Deno.remove(path);
    await assert.rejects(readStored(folder, MANIFEST_FIXTURE), {
      name: "InputError",
      message: new RegExp(`^Cannot read "${path}" as it is missing: delete the folder`),
    });
  });
});

Deno.test("writeStored() leaves what is there, unless it is to be replaced", async () => {
  await withFolder(async (cache) => {
    const folder = join(cache, "tiny"), labels = () => Deno.readFileSync(join(folder, "train-labels.u8"))[1];
    await writeStored(folder, PARTS_FIXTURE, { replace: false });
    await writeStored(folder, OTHER_PARTS, { replace: false });
    assert.equal(labels(), 1);
    await writeStored(folder, OTHER_PARTS, { replace: true });
    assert.equal(labels(), 0);
    assert.deepEqual(names(cache), ["tiny"]);
  });
});

Deno.test("writeStored() never shows a part of a data set to a reader beside it", async () => {
  await withFolder(async (cache) => {
    const folder = join(cache, "tiny"), seen: boolean[] = [];
    let writing = true;
    const writers = Promise.all(
      Array.from({ length: 8 }, () => writeStored(folder, PARTS_FIXTURE, { replace: false })),
    ).finally(() => writing = false);
    while (writing) seen.push(await readStored(folder, MANIFEST_FIXTURE) !== null); // would throw on a part
    await writers;
    assert.ok(await readStored(folder, MANIFEST_FIXTURE));
    assert.deepEqual(names(cache), ["tiny"]);
    assert.deepEqual(seen, seen.toSorted((a, b) => Number(a) - Number(b))); // once there, it stays
  });
});

Deno.test("writeStored() says what to do where it cannot write, and leaves nothing", async () => {
  await withFolder(async (cache) => {
    const file = join(cache, "file");
    await Deno.writeTextFile(file, "");
    await assert.rejects(writeStored(join(file, "tiny"), PARTS_FIXTURE, { replace: false }), {
      name: "InputError",
      message:
        /^Cannot write the data set to ".*tiny" as a file stands where a folder is needed: free some space, or choose /,
    });
    assert.deepEqual(names(cache), ["file"]);
  });
});

Deno.test("writeStored() removes what was abandoned a day ago and leaves what is being written", async () => {
  await withFolder(async (cache) => {
    const dayAndMore = new Date(Date.now() - 25 * 3600 * 1000);
    for (const name of ["tiny.partial-old", "tiny.partial-now", "other.partial-old"]) Deno.mkdirSync(join(cache, name));
    await Deno.utime(join(cache, "tiny.partial-old"), dayAndMore, dayAndMore);
    await writeStored(join(cache, "tiny"), PARTS_FIXTURE, { replace: false });
    assert.deepEqual(names(cache), ["other.partial-old", "tiny", "tiny.partial-now"]);
  });
});

Deno.test("asDataset() refuses a channel that never varies, measured or stated, by its number and value", () => {
  const { mean: _, std: __, ...measured } = MANIFEST_FIXTURE, [, , channels] = MANIFEST_FIXTURE.imageShape;
  const flat = (channel: number, value: number) => ({
    ...PARTS_FIXTURE,
    trainImages: PARTS_FIXTURE.trainImages.map((byte, i) => i % channels === channel ? value : byte),
  });
  for (const [channel, value] of [[0, 0], [2, 77], [1, 255]] as const) {
    assert.throws(() => asDataset(flat(channel, value), measured), {
      name: "InputError",
      message:
        `Cannot use data set "${measured.name}" as channel ${channel + 1} of 3 of its training images is ${value} ` +
        "everywhere: add images in which it varies, or leave that channel out",
    });
  }
  assert.throws(() => asDataset(PARTS_FIXTURE, { ...MANIFEST_FIXTURE, std: [0.25, 0, 0.25] }), { name: "InputError" });
});

Deno.test("asDataset() shares the bytes and carries the manifest", () => {
  const dataset = asDataset(PARTS_FIXTURE, MANIFEST_FIXTURE);
  assert.equal(dataset.train.images, PARTS_FIXTURE.trainImages);
  assert.equal(dataset.test.labels, PARTS_FIXTURE.testLabels);
  assert.deepEqual([dataset.train.count, dataset.test.count, dataset.sha256], [10, 2, MANIFEST_FIXTURE.sha256]);
});

/** Runs `body` while the system refuses to read files, as those of another user; root may read all, so it is simulated. */
async function refused(body: () => Promise<void>): Promise<void> {
  const denied = () => Promise.reject(new Deno.errors.PermissionDenied("Permission denied (os error 13)"));
  const { readFile, readTextFile } = Deno;
  Object.assign(Deno, { readFile: denied, readTextFile: denied });
  try {
    await body();
  } finally {
    Object.assign(Deno, { readFile, readTextFile });
  }
}

Deno.test("readStored() and readRecord() name REQUANT_CACHE where a cache is another user's", async () => {
  await withFolder(async (cache) => {
    const folder = join(cache, "tiny");
    await writeStored(folder, PARTS_FIXTURE, { replace: false });
    await refused(async () => {
      for (const read of [readStored, readRecord]) {
        await assert.rejects(read(folder, MANIFEST_FIXTURE), {
          name: "InputError",
          message:
            /^Cannot read ".*" as reading it is not permitted: it is another user's, so choose .* by REQUANT_CACHE or/,
        });
      }
    });
  });
});
