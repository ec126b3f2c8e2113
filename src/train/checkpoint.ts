/**
 * Checkpoints in the safetensors format: 8 bytes header length (little-endian), a JSON header, the tensors' bytes.
 *
 * Written by hand, as no maintained npm library writes the format; every safetensors reader opens the files. The header's
 * `__metadata__` holds the run's position as JSON text and the SHA-256 of all the rest, so that a damaged file is
 * refused instead of loaded.
 * @see https://github.com/huggingface/safetensors#format
 */
import { createHash } from "node:crypto";
import { InputError, messageOf } from "../errors.ts";
import type { TensorData } from "../nn/initialise.ts";

/** Version of what we put into `__metadata__`. */
const SCHEMA = "requant-checkpoint-1";

/** Tensors by path, and where the run stood. */
export interface Checkpoint<Position> {
  readonly tensors: Readonly<Record<string, TensorData>>;
  readonly position: Position;
}

/** Writes to a temporary name, then renames: a kill at any moment leaves the old file or the new one. */
export async function writeCheckpoint<Position>(path: string, checkpoint: Checkpoint<Position>): Promise<void> {
  const names = Object.keys(checkpoint.tensors).sort();
  const total = names.reduce((sum, name) => sum + checkpoint.tensors[name]!.values.byteLength, 0);
  const data = new Uint8Array(total), header: Record<string, unknown> = {};
  let offset = 0;
  for (const name of names) {
    const { shape, values } = checkpoint.tensors[name]!, end = offset + values.byteLength;
    data.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), offset);
    header[name] = { dtype: "F32", shape, data_offsets: [offset, end] };
    offset = end;
  }
  const metadata = { schema: SCHEMA, position: JSON.stringify(checkpoint.position) };
  header["__metadata__"] = { ...metadata, sha256: checksum({ ...header, "__metadata__": metadata }, data) };
  const text = JSON.stringify(header);
  const json = new TextEncoder().encode(text.padEnd(Math.ceil(text.length / 8) * 8)); // the data starts at a multiple of 8
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(json.length), true);
  const temporary = `${path}.tmp`;
  const file = await Deno.open(temporary, { write: true, create: true, truncate: true });
  try {
    const writer = file.writable.getWriter();
    for (const part of [length, json, data]) await writer.write(part);
    await writer.ready;
    await file.sync();
    await writer.close();
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw error;
  }
  await Deno.rename(temporary, path);
}

/**
 * Reads a checkpoint.
 * @returns Null if there is none.
 * @throws {InputError} If the file is cut, damaged or of another schema.
 */
export async function readCheckpoint<Position>(path: string): Promise<Checkpoint<Position> | null> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
  try {
    return parse<Position>(bytes);
  } catch (error) {
    throw new InputError(
      `Cannot read the checkpoint "${path}" as ${messageOf(error)}: delete it to start that run from its beginning`,
    );
  }
}

/** SHA-256 of the header (without the checksum itself) and the data. */
function checksum(header: Record<string, unknown>, data: Uint8Array): string {
  return createHash("sha256").update(JSON.stringify(header)).update(data).digest("hex");
}

interface HeaderEntry {
  readonly dtype: string;
  readonly shape: number[];
  readonly data_offsets: [number, number];
}

function parse<Position>(bytes: Uint8Array<ArrayBuffer>): Checkpoint<Position> {
  if (bytes.length < 8) throw new Error(`it is cut: it has ${bytes.length} bytes`);
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (length > bytes.length - 8) throw new Error(`its header is cut: it has ${bytes.length} bytes`);
  let header: Record<string, HeaderEntry | Record<string, string>>;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, 8 + length)));
  } catch {
    throw new Error("its header is not JSON");
  }
  const metadata = header["__metadata__"] as Record<string, string> | undefined;
  if (metadata?.["schema"] !== SCHEMA) {
    throw new Error(`its schema must be "${SCHEMA}": current value is ${JSON.stringify(metadata?.["schema"])}`);
  }
  const data = bytes.slice(8 + length), { sha256, ...stated } = metadata;
  if (checksum({ ...header, "__metadata__": stated }, data) !== sha256) {
    throw new Error("its bytes do not have the checksum that it states");
  }
  const tensors: Record<string, TensorData> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const { shape, data_offsets: [begin, end] } = entry as HeaderEntry;
    tensors[name] = { shape, values: new Float32Array(data.buffer, begin, (end - begin) / 4) };
  }
  return { tensors, position: JSON.parse(metadata["position"]!) };
}
