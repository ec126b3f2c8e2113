/** A data set so small that its archives are made within the tests. */
import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import tar from "tar-stream";
import { type CompleteManifest, type DecodedParts, PARTS, sha256Of } from "../../src/data/manifest.ts";
import type { World } from "../../src/data/sources.ts";

const IMAGE = [4, 4, 3] as const;

/** 10 training and 2 test images of 4 x 4 x 3, every value another (modulo 251). */
export const PARTS_FIXTURE: DecodedParts = {
  trainImages: Uint8Array.from({ length: 480 }, (_, i) => (i * 7) % 251),
  trainLabels: Uint8Array.from({ length: 10 }, (_, i) => i),
  testImages: Uint8Array.from({ length: 96 }, (_, i) => (i * 11 + 5) % 251),
  testLabels: Uint8Array.of(3, 8),
};

export const MANIFEST_FIXTURE: CompleteManifest = {
  name: "tiny",
  title: "Tiny",
  classes: 10,
  imageShape: IMAGE,
  mean: [0.5, 0.5, 0.5],
  std: [0.25, 0.25, 0.25],
  trainCount: 10,
  testCount: 2,
  sha256: sha256Of(...PARTS.map((part) => PARTS_FIXTURE[part])),
  partSha256: {
    trainImages: sha256Of(PARTS_FIXTURE.trainImages),
    trainLabels: sha256Of(PARTS_FIXTURE.trainLabels),
    testImages: sha256Of(PARTS_FIXTURE.testImages),
    testLabels: sha256Of(PARTS_FIXTURE.testLabels),
  },
  officialFiles: "tiny.tar.gz",
};

/** A machine without network, npm or settings. */
export function offline(changes: Partial<World> = {}): World {
  return {
    env: () => undefined,
    fetch: () => Promise.reject(new TypeError("fetch failed", { cause: new Error("no route to host") })),
    npmPack: () => Promise.reject(new Error("npm is not on PATH")),
    ...changes,
  };
}

/** A .tar.gz of files. */
export async function tarGz(files: Readonly<Record<string, Uint8Array>>): Promise<Uint8Array<ArrayBuffer>> {
  const pack = tar.pack(), chunks: Uint8Array[] = [];
  for (const [name, bytes] of Object.entries(files)) pack.entry({ name }, Buffer.from(bytes));
  pack.finalize();
  for await (const chunk of pack) chunks.push(chunk as Uint8Array);
  return new Uint8Array(gzipSync(Buffer.concat(chunks)));
}

/** Runs `use` with a folder that is removed afterwards. */
export async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "requant-test-" });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
