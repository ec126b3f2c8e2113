/** Data sets whose checksums nobody knows before they are decoded. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { asDataset, checksumsOf, findFault, labelsOf, type Manifest, partSizes } from "../../src/data/manifest.ts";
import { loadFromSources, type Source } from "../../src/data/sources.ts";
import { readRecord, readStored, writeStored } from "../../src/data/stored.ts";
import { MANIFEST_FIXTURE, offline, PARTS_FIXTURE, withFolder } from "./fixtures.ts";

const { sha256: _, partSha256: __, mean: ___, std: ____, ...UNKNOWN } = MANIFEST_FIXTURE;
const OTHER = { ...PARTS_FIXTURE, testLabels: Uint8Array.of(3, 9) };
const source = (parts: typeof PARTS_FIXTURE): Source => ({ title: "good", fetch: () => Promise.resolve(parts) });

Deno.test("loadFromSources() records the checksums of the first bytes, and measures the channels", async () => {
  await withFolder(async (cache) => {
    const options = { cache, world: offline() };
    const first = await loadFromSources(UNKNOWN, { ...options, sources: [source(PARTS_FIXTURE)] });
    assert.equal(first.sha256, MANIFEST_FIXTURE.sha256);
    assert.deepEqual(await readRecord(join(cache, "tiny"), UNKNOWN), checksumsOf(PARTS_FIXTURE));
    // 480 values (7 i) mod 251: their plain mean, channel by channel
    const expected = [0, 1, 2].map((c) => {
      const values = PARTS_FIXTURE.trainImages.filter((_, i) => i % 3 === c);
      return values.reduce((sum, value) => sum + value / 255, 0) / values.length;
    });
    first.mean.forEach((value, c) => assert.ok(Math.abs(value - expected[c]!) < 1e-12));
    const again = await loadFromSources(UNKNOWN, { ...options, sources: [] });
    assert.deepEqual([again.sha256, again.mean, again.std], [first.sha256, first.mean, first.std]);
  });
});

Deno.test("loadFromSources() refuses a cache that is no longer what was recorded, until told to fetch anew", async () => {
  await withFolder(async (cache) => {
    const options = { cache, world: offline(), sources: [source(PARTS_FIXTURE)] }, folder = join(cache, "tiny");
    await loadFromSources(UNKNOWN, options);
    await Deno.writeFile(join(folder, "test-labels.u8"), OTHER.testLabels);
    await assert.rejects(loadFromSources(UNKNOWN, options), {
      name: "InputError",
      message: /test-labels.u8" as its SHA-256 is [0-9a-f]{64} instead of [0-9a-f]{64}: delete the folder/,
    });
    const fresh = await loadFromSources(UNKNOWN, { ...options, sources: [source(OTHER)], fresh: true });
    assert.deepEqual([fresh.sha256, [...fresh.test.labels]], [checksumsOf(OTHER).sha256, [3, 9]]);
    await Deno.remove(join(folder, "recorded.json"));
    await assert.rejects(loadFromSources(UNKNOWN, options), {
      name: "InputError",
      message: `Cannot read "${join(folder, "recorded.json")}" as it is missing: ` +
        `delete the folder "${folder}" or run \`deno task data tiny --fresh\` to fetch it again`,
    });
  });
});

Deno.test("readRecord() refuses a record of another shape", async () => {
  const sha256 = MANIFEST_FIXTURE.sha256, record = checksumsOf(PARTS_FIXTURE);
  const cases: [unknown, RegExp][] = [
    [{}, /recorded\.json" as sha256 is wrong \(/],
    [null, /recorded\.json" as its content is wrong \(/],
    [{ ...record, sha256: "x".repeat(64) }, /as sha256 is wrong \(/],
    [{ ...record, partSha256: { trainImages: sha256 } }, /as partSha256\.\w+ is wrong \(/],
    [{ ...record, origin: 3 }, /as origin is wrong \(/],
    [{ ...record, mean: [0, 0, 0] }, /as its content is wrong \(/],
  ];
  await withFolder(async (cache) => {
    const folder = join(cache, "tiny");
    await Deno.mkdir(folder);
    for (const [content, message] of cases) {
      await Deno.writeTextFile(join(folder, "recorded.json"), JSON.stringify(content));
      await assert.rejects(readRecord(folder, UNKNOWN), { name: "InputError", message });
    }
  });
});

Deno.test("findFault() without checksums still finds a wrong size and a label that no class has", () => {
  assert.equal(findFault(PARTS_FIXTURE, UNKNOWN), null);
  assert.deepEqual(findFault({ ...PARTS_FIXTURE, testLabels: Uint8Array.of(3) }, UNKNOWN), {
    part: "testLabels",
    reason: "it has 1 bytes instead of 2",
  });
  assert.deepEqual(findFault({ ...PARTS_FIXTURE, testLabels: Uint8Array.of(3, 10) }, UNKNOWN), {
    part: "testLabels",
    reason: "it has the label 10, and there are 10 classes",
  });
});

Deno.test("labels take two bytes above 256 classes, the low one first, through the cache", async () => {
  const many: Manifest = { ...UNKNOWN, classes: 1000 };
  assert.deepEqual([partSizes(many).trainLabels, partSizes({ ...many, classes: 256 }).trainLabels], [20, 10]);
  const labels = new Uint8Array(20);
  labelsOf(labels, many).set([0, 999, 256, 255, 1, 2, 3, 4, 5, 6]);
  assert.deepEqual([...labels.subarray(0, 6)], [0, 0, 231, 3, 0, 1]);
  const parts = { ...PARTS_FIXTURE, trainLabels: labels, testLabels: Uint8Array.of(231, 3, 0, 0) };
  await withFolder(async (cache) => {
    const folder = join(cache, "many");
    await writeStored(folder, parts, { replace: false, record: checksumsOf(parts) });
    const { train, test } = asDataset((await readStored(folder, many))!, many);
    assert.deepEqual([...train.labels], [0, 999, 256, 255, 1, 2, 3, 4, 5, 6]);
    assert.deepEqual([...test.labels], [999, 0]);
  });
  // a view at an odd place is copied
  const shifted = new Uint8Array(5);
  shifted.set([231, 3, 0, 0], 1);
  assert.deepEqual([...labelsOf(shifted.subarray(1), many)], [999, 0]);
});
