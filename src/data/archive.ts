import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { createGunzip, gunzipSync } from "node:zlib";
import tar from "tar-stream";
import { type Manifest, partSizes } from "./manifest.ts";

/** One file of an archive. */
export interface ArchiveFile {
  /** Its path within the archive. */
  readonly path: string;
  /** Its bytes; may be called once. */
  readonly bytes: () => Promise<Uint8Array>;
}

/** Bytes that the unpacked archive of a data set may have: four times its decoded size, and room for small files. */
export function mostBytesOf(manifest: Manifest): number {
  return 16e6 + 4 * Object.values(partSizes(manifest)).reduce((sum, size) => sum + size, 0);
}

/** @throws {Error} If the unpacked bytes would be more. */
export function gunzipAtMost(bytes: Uint8Array, mostBytes: number): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength: mostBytes });
  } catch (error) {
    throw error instanceof RangeError ? tooLarge(mostBytes) : error;
  }
}

function tooLarge(mostBytes: number): Error {
  return new Error(`it unpacks to more than ${mostBytes.toLocaleString("en")} bytes`);
}

/**
 * Calls `visit` for each file of a .tar.gz, in order, while the archive is read. Nothing is held whole.
 *
 * A file whose bytes are not asked for is skipped.
 * @param mostBytes Bytes that its files may have together, by their headers and in fact.
 * @throws {Error} If the archive is damaged, ends too early or is too large.
 */
export async function readTarGz(
  archive: AsyncIterable<Uint8Array>,
  { mostBytes }: { readonly mostBytes: number },
  visit: (file: ArchiveFile) => void | Promise<void>,
): Promise<void> {
  const source = Readable.from(archive, { objectMode: false }), gunzip = createGunzip(), extract = tar.extract();
  // errors go down the chain: the loop below then throws them
  source.on("error", (error) => gunzip.destroy(error));
  gunzip.on("error", (error) => extract.destroy(error));
  source.pipe(gunzip).pipe(extract);
  let unpacked = 0, declared = 0;
  // the header blocks of small files count as well
  gunzip.on("data", ({ length }: Buffer) => {
    if ((unpacked += length) > 2 * mostBytes) gunzip.destroy(tooLarge(mostBytes));
  });
  try {
    for await (const entry of extract) {
      if ((declared += entry.header.size ?? 0) > mostBytes) throw tooLarge(mostBytes);
      let read = false;
      const bytes = async () => {
        read = true;
        const parts: Buffer[] = [];
        for await (const part of entry) parts.push(part as Buffer);
        return Buffer.concat(parts);
      };
      if (entry.header.type === "file") await visit({ path: entry.header.name, bytes });
      if (!read) entry.resume();
    }
  } finally {
    source.destroy();
    gunzip.destroy();
  }
}

/**
 * `readTarGz` of an archive whose MD5 is known; `visit` has seen all files before it is compared.
 * @throws {Error} If the archive is damaged or its MD5 is another.
 */
export async function readKnownTarGz(
  archive: AsyncIterable<Uint8Array>,
  expected: { readonly md5: string; readonly mostBytes: number },
  visit: (file: ArchiveFile) => void | Promise<void>,
): Promise<void> {
  const hash = createHash("md5");
  async function* hashed() {
    for await (const chunk of archive) {
      hash.update(chunk);
      yield chunk;
    }
  }
  await readTarGz(hashed(), expected, visit);
  const md5 = hash.digest("hex");
  if (md5 !== expected.md5) throw new Error(`the archive's MD5 is ${md5} instead of ${expected.md5}`);
}
