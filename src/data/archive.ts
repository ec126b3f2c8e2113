import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import tar from "tar-stream";

/** One file of an archive. */
export interface ArchiveFile {
  /** Its path within the archive. */
  readonly path: string;
  /** Its bytes; may be called once. */
  readonly bytes: () => Promise<Uint8Array>;
}

/**
 * Calls `visit` for each file of a .tar.gz, in order, while the archive is read: neither it nor what is in it is held whole.
 *
 * A file whose bytes are not asked for is passed over.
 * @throws {Error} If the archive is damaged or ends too early.
 */
export async function readTarGz(
  archive: AsyncIterable<Uint8Array>,
  visit: (file: ArchiveFile) => void | Promise<void>,
): Promise<void> {
  const source = Readable.from(archive, { objectMode: false }), gunzip = createGunzip(), extract = tar.extract();
  // errors go down the chain: the loop below then throws them
  source.on("error", (error) => gunzip.destroy(error));
  gunzip.on("error", (error) => extract.destroy(error));
  source.pipe(gunzip).pipe(extract);
  try {
    for await (const entry of extract) {
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
  expected: { readonly md5: string },
  visit: (file: ArchiveFile) => void | Promise<void>,
): Promise<void> {
  const hash = createHash("md5");
  async function* hashed() {
    for await (const chunk of archive) {
      hash.update(chunk);
      yield chunk;
    }
  }
  await readTarGz(hashed(), visit);
  const md5 = hash.digest("hex");
  if (md5 !== expected.md5) throw new Error(`the archive's MD5 is ${md5} instead of ${expected.md5}`);
}
