import assert from "node:assert/strict";
import { readTarGz } from "../../src/data/archive.ts";
import { tarGz } from "./fixtures.ts";

const FILES = {
  "a/first": Uint8Array.of(1, 2, 3),
  "a/second": new Uint8Array(100_000).fill(7),
  last: Uint8Array.of(9),
};

/** Bytes in pieces of `size`. */
async function* pieces(bytes: Uint8Array, size: number) {
  for (let i = 0; i < bytes.length; i += size) yield await Promise.resolve(bytes.subarray(i, i + size));
}

Deno.test("readTarGz() visits the files in order and reads those that are asked for", async () => {
  const paths: string[] = [], lengths: number[] = [];
  await readTarGz(pieces(await tarGz(FILES), 50), async ({ path, bytes }) => {
    paths.push(path);
    if (path !== "a/first") lengths.push((await bytes()).length);
  });
  assert.deepEqual(paths, ["a/first", "a/second", "last"]);
  assert.deepEqual(lengths, [100_000, 1]);
});

Deno.test("readTarGz() fails on an archive that is cut, at any length", async () => {
  const archive = await tarGz(FILES);
  for (const length of [0, 5, 40, archive.length >> 1, archive.length - 1]) {
    await assert.rejects(
      readTarGz(pieces(archive.subarray(0, length), 64), async ({ bytes }) => void await bytes()),
      { message: length === 0 ? /./ : "unexpected end of file" },
      `length ${length}`,
    );
  }
});

Deno.test("readTarGz() fails with the error of its source", async () => {
  const archive = await tarGz(FILES);
  async function* broken() {
    yield archive.subarray(0, 60);
    await Promise.resolve();
    throw new Error("the line went dead");
  }
  await assert.rejects(readTarGz(broken(), () => {}), { message: "the line went dead" });
});

Deno.test("readTarGz() fails with the error of its visitor", async () => {
  const visit = () => {
    throw new Error("not this file");
  };
  await assert.rejects(readTarGz(pieces(await tarGz(FILES), 64), visit), { message: "not this file" });
});
