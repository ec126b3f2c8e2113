import assert from "node:assert/strict";
import { join } from "node:path";
import { loadFromSources, NotThere, ownFolder, type Source } from "../../src/data/sources.ts";
import { MANIFEST_FIXTURE, offline, PARTS_FIXTURE, withFolder } from "./fixtures.ts";

const good: Source = { title: "good", fetch: () => Promise.resolve(PARTS_FIXTURE) };
const absent: Source = { title: "absent", fetch: () => Promise.reject(new NotThere("it is not set")) };
const broken: Source = { title: "broken", fetch: () => Promise.reject(new Error("no route\nand more")) };
const wrong: Source = {
  title: "wrong",
  fetch: () => Promise.resolve({ ...PARTS_FIXTURE, testLabels: Uint8Array.of(3, 9) }),
};

Deno.test("loadFromSources() takes the first source that gives the right bytes, and then the cache", async () => {
  await withFolder(async (cache) => {
    const lines: string[] = [], options = { cache, world: offline(), log: (line: string) => void lines.push(line) };
    const dataset = await loadFromSources(MANIFEST_FIXTURE, { ...options, sources: [absent, broken, wrong, good] });
    assert.deepEqual([...dataset.test.labels], [3, 8]);
    assert.equal(lines.length, 3);
    assert.equal(lines[0], "Tiny: not from broken: no route");
    assert.match(lines[1]!, /^Tiny: not from wrong: test-labels.u8 made of it is not that of Tiny: its SHA-256 is /);
    assert.equal(lines[2], `Tiny: from good, kept in ${join(cache, "tiny")}`);
    const again = await loadFromSources(MANIFEST_FIXTURE, { ...options, sources: [] });
    assert.deepEqual(again.train.images, dataset.train.images);
  });
});

Deno.test("loadFromSources() lists every source and why, where all fail, and caches nothing", async () => {
  await withFolder(async (cache) => {
    await assert.rejects(
      loadFromSources(MANIFEST_FIXTURE, { cache, world: offline(), sources: [absent, broken] }),
      {
        name: "InputError",
        message: 'Cannot get the data set "tiny" as every source failed (absent: it is not set; broken: no route): ' +
          "connect to the network, or set REQUANT_DATA to a folder with tiny.tar.gz",
      },
    );
    await assert.rejects(loadFromSources(MANIFEST_FIXTURE, { cache, world: offline(), sources: [wrong] }), /SHA-256/);
    assert.deepEqual([...Deno.readDirSync(cache)], []);
  });
});

Deno.test("loadFromSources() tries nothing else where the user's own files are damaged", async () => {
  await withFolder(async (cache) => {
    const own: Source = { ...broken, title: "REQUANT_DATA", own: true };
    const world = offline({ env: () => "/own" });
    await assert.rejects(loadFromSources(MANIFEST_FIXTURE, { cache, world, sources: [own, good] }), {
      name: "InputError",
      message: "Cannot use the files in REQUANT_DATA (/own) as no route: put tiny.tar.gz there, or unset REQUANT_DATA",
    });
    const missing: Source = { ...absent, title: "REQUANT_DATA", own: true };
    assert.ok(await loadFromSources(MANIFEST_FIXTURE, { cache, world: offline(), sources: [missing, good] }));
  });
});

Deno.test("loadFromSources() fetches nothing where the cache cannot be written, and says why", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "file"), asked: string[] = [];
    await Deno.writeTextFile(file, "");
    const watched: Source = { ...good, fetch: () => (asked.push("good"), Promise.resolve(PARTS_FIXTURE)) };
    for (const cache of [file, join(file, "below")]) {
      await assert.rejects(loadFromSources(MANIFEST_FIXTURE, { cache, world: offline(), sources: [watched] }), {
        name: "InputError",
        message:
          `Cannot write the data set to "${join(cache, "tiny")}" as a file stands where a folder is needed: free ` +
          "some space, or choose another folder by REQUANT_CACHE or `deno task data --cache`",
      });
    }
    assert.deepEqual([asked, [...Deno.readDirSync(folder)].length], [[], 1]);
  });
});

Deno.test("loadFromSources() replaces a damaged cache only where it is told to fetch anew", async () => {
  await withFolder(async (cache) => {
    const options = { cache, world: offline(), sources: [good] }, path = join(cache, "tiny", "train-labels.u8");
    await loadFromSources(MANIFEST_FIXTURE, options);
    await Deno.writeFile(path, new Uint8Array(10));
    await assert.rejects(loadFromSources(MANIFEST_FIXTURE, options), { name: "InputError", message: /SHA-256/ });
    await loadFromSources(MANIFEST_FIXTURE, { ...options, fresh: true });
    assert.equal((await Deno.readFile(path))[1], 1);
  });
});

Deno.test("loadFromSources() keeps the cache where fetching anew fails", async () => {
  await withFolder(async (cache) => {
    const options = { cache, world: offline() };
    await loadFromSources(MANIFEST_FIXTURE, { ...options, sources: [good] });
    await assert.rejects(loadFromSources(MANIFEST_FIXTURE, { ...options, sources: [broken], fresh: true }));
    assert.ok(await loadFromSources(MANIFEST_FIXTURE, { ...options, sources: [] }));
  });
});

Deno.test("ownFolder() refuses a REQUANT_DATA that is no folder", async () => {
  await assert.rejects(ownFolder({ env: () => "/no/such/folder" }), {
    name: "InputError",
    message: 'Cannot use REQUANT_DATA as it must name a folder: current value is "/no/such/folder"',
  });
  await assert.rejects(ownFolder({ env: () => undefined }), { name: "NotThere", message: "it is not set" });
});
