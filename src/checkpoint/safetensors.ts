/**
 * The safetensors format: 8 bytes header length (little-endian), a JSON header, the tensors' bytes.
 *
 * Written by hand, as no maintained npm library writes it; every safetensors reader opens the files. The SHA-256 of all
 * the rest stands in the header's `__metadata__`, so that a damaged file is refused.
 * @see https://github.com/huggingface/safetensors#format
 */
import { createHash } from "node:crypto";
import type { TensorData } from "../nn/initialise.ts";

/** Tensors by name. */
export type NamedTensors = Readonly<Record<string, TensorData>>;

/** Text beside the tensors; `schema` says how to read the rest. */
export type Metadata = Readonly<Record<string, string>> & { readonly schema: string };

/** A tensor in the header of a file. */
export interface HeaderEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** The bytes of a file, in parts. */
export function encode(tensors: NamedTensors, metadata: Metadata): readonly Uint8Array<ArrayBuffer>[] {
  const names = Object.keys(tensors).sort();
  const data = new Uint8Array(names.reduce((sum, name) => sum + tensors[name]!.values.byteLength, 0));
  const header: Record<string, unknown> = {};
  let offset = 0;
  for (const name of names) {
    const { shape, values } = tensors[name]!, end = offset + values.byteLength;
    data.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), offset);
    header[name] = { dtype: "F32", shape, data_offsets: [offset, end] };
    offset = end;
  }
  header["__metadata__"] = { ...metadata, sha256: checksum({ ...header, "__metadata__": metadata }, data) };
  const text = JSON.stringify(header);
  const json = new TextEncoder().encode(text.padEnd(Math.ceil(text.length / 8) * 8)); // the data starts at a multiple of 8
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(json.length), true);
  return [length, json, data];
}

/** Splits a file. @throws {Error} If it has no header of JSON, or is cut in it; the message follows "as". */
export function headerAndData(bytes: Uint8Array<ArrayBuffer>): {
  readonly header: Record<string, HeaderEntry> & { readonly __metadata__?: Metadata };
  readonly data: Uint8Array<ArrayBuffer>;
} {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const length = bytes.length < 8 ? Infinity : Number(view.getBigUint64(0, true));
  if (length > bytes.length - 8) throw new Error(`it is no safetensors file, or cut: it has ${bytes.length} bytes`);
  try {
    const header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, 8 + length)));
    return { header, data: bytes.subarray(8 + length) };
  } catch {
    throw new Error("its header is not JSON");
  }
}

/** @throws {Error} If the file is cut, damaged or of another schema; the message follows "as". */
export function decode(bytes: Uint8Array<ArrayBuffer>, schema: string): { tensors: NamedTensors; metadata: Metadata } {
  const { header, data: found } = headerAndData(bytes), { __metadata__: given, ...entries } = header;
  if (given?.schema !== schema) {
    throw new Error(`its schema must be "${schema}": current value is ${JSON.stringify(given?.schema)}`);
  }
  const data = found.slice(), { sha256, ...metadata } = given; // a copy begins where float32 may
  if (checksum({ ...header, "__metadata__": metadata }, data) !== sha256) {
    throw new Error("its bytes do not have the checksum that it states");
  }
  const tensors = Object.entries(entries).map(([name, { shape, data_offsets: [begin, end] }]) => {
    return [name, { shape, values: new Float32Array(data.buffer, begin, (end - begin) / 4) }] as const;
  });
  return { tensors: Object.fromEntries(tensors), metadata: metadata as Metadata };
}

/** Reads the text beside the tensors of a file, unchecked and without reading them. @throws {Error} If it is none. */
export function metadataAt(path: string): Metadata {
  const file = Deno.openSync(path);
  try {
    const length = Number(new DataView(readExactly(file, 8).buffer).getBigUint64(0, true));
    if (length > MOST_HEADER_BYTES) throw new Error(`its header is of ${length} bytes`);
    return JSON.parse(new TextDecoder().decode(readExactly(file, length)))["__metadata__"];
  } finally {
    file.close();
  }
}

const MOST_HEADER_BYTES = 2 ** 26;

function readExactly(file: Deno.FsFile, count: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(count);
  for (let done = 0; done < count;) {
    const read = file.readSync(bytes.subarray(done));
    if (read === null) throw new Error("it is cut");
    done += read;
  }
  return bytes;
}

/** SHA-256 of the header, without the checksum itself, and of the data. */
function checksum(header: Record<string, unknown>, data: Uint8Array): string {
  return createHash("sha256").update(JSON.stringify(header)).update(data).digest("hex");
}
