/** Archives: gunzip by Deno's node:zlib, tar by npm:tar-stream. */
import { Readable } from "node:stream";
import { gunzipSync } from "node:zlib";
import tar from "tar-stream";

/** The files of a .tar.gz whose name satisfies `keep`, by name; nothing is written to disk. */
export async function readTarGz(
  bytes: Uint8Array,
  keep: (name: string) => boolean,
): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  const extract = tar.extract();
  Readable.from([gunzipSync(bytes)]).pipe(extract);
  for await (const entry of extract) {
    const parts: Uint8Array[] = [];
    for await (const part of entry) if (keep(entry.header.name)) parts.push(part as Uint8Array);
    if (keep(entry.header.name)) files.set(entry.header.name, concatenate(parts));
  }
  return files;
}

/** One array of all the parts. */
export function concatenate(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
