import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import { gunzipAtMost, mostBytesOf, readTarGz } from "../../src/data/archive.ts";
import { tarGz } from "./fixtures.ts";

const FILES = {
  "a/first": Uint8Array.of(1, 2, 3),
  "a/second": new Uint8Array(100_000).fill(7),
  last: Uint8Array.of(9),
};

const ROOM = { mostBytes: 1e6 };

/** Bytes in pieces of `size`. */
async function* pieces(bytes: Uint8Array, size: number) {
  for (let i = 0; i < bytes.length; i += size) yield await Promise.resolve(bytes.subarray(i, i + size));
}

Deno.test("readTarGz() visits the files in order and reads those that are asked for", async () => {
  const paths: string[] = [], lengths: number[] = [];
  await readTarGz(pieces(await tarGz(FILES), 50), ROOM, async ({ path, bytes }) => {
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
      readTarGz(pieces(archive.subarray(0, length), 64), ROOM, async ({ bytes }) => void await bytes()),
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
  await assert.rejects(readTarGz(broken(), ROOM, () => {}), { message: "the line went dead" });
});

Deno.test("readTarGz() fails with the error of its visitor", async () => {
  const visit = () => {
    throw new Error("not this file");
  };
  await assert.rejects(readTarGz(pieces(await tarGz(FILES), 64), ROOM, visit), { message: "not this file" });
});

const TOO_LARGE = { message: "it unpacks to more than 100,000 bytes" };

Deno.test("readTarGz() refuses an archive of too many bytes by its headers, before it reads them", async () => {
  const archive = await tarGz(FILES), seen: string[] = [];
  const visit = ({ path }: { path: string }) => void seen.push(path);
  await assert.rejects(readTarGz(pieces(archive, 64), { mostBytes: 100_000 }, visit), TOO_LARGE);
  assert.deepEqual(seen, ["a/first"]);
  await readTarGz(pieces(archive, 64), { mostBytes: 100_004 }, visit);
});

Deno.test("readTarGz() refuses an archive that goes on after its end", async () => {
  const zeros = gzipSync(Buffer.alloc(1e6)), archive = await tarGz({ first: Uint8Array.of(1) });
  await assert.rejects(
    readTarGz(pieces(Buffer.concat([archive, zeros]), 4096), { mostBytes: 100_000 }, () => {}),
    TOO_LARGE,
  );
});

Deno.test("gunzipAtMost() unpacks up to its limit", () => {
  assert.equal(gunzipAtMost(gzipSync(Buffer.alloc(100_000)), 100_000).length, 100_000);
  assert.throws(() => gunzipAtMost(gzipSync(Buffer.alloc(100_001)), 100_000), TOO_LARGE);
});

Deno.test("mostBytesOf() leaves room for the official archive of CIFAR-10, whose files have 184,380,000 bytes", async () => {
  const { MANIFEST } = await import("../../datasets/cifar10/load.ts");
  assert.equal(mostBytesOf(MANIFEST), 16e6 + 4 * 60_000 * (3072 + 1));
});
