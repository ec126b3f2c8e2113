/**
 * Checkpoints in the safetensors format: 8 bytes header length (little-endian), a JSON header, the tensors' bytes.
 *
 * Written by hand, as no maintained npm library writes the format; every safetensors reader opens the files. The header's
 * `__metadata__` holds the run's position as JSON text and the SHA-256 of all the rest, so that a damaged file is
 * refused instead of loaded.
 * @see https://github.com/huggingface/safetensors#format
 */
import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { InputError, messageOf } from "../errors.ts";
import type { TensorData } from "../nn/initialise.ts";

/** Version of what we put into `__metadata__`. */
const SCHEMA = "requant-checkpoint-1";

/** Tensors by path, and where the run stood. */
export interface Checkpoint<Position> {
  readonly tensors: Readonly<Record<string, TensorData>>;
  readonly position: Position;
}

/** The checkpoint before the one at `path`: a run keeps two, as the newest may turn out to be damaged. */
export function previousCheckpoint(path: string): string {
  return besideCheckpoint(path, "previous");
}

function besideCheckpoint(path: string, kind: "previous" | "damaged"): string {
  return path.replace(/(\.safetensors)?$/, `.${kind}$1`);
}

/**
 * Writes to a temporary name, flushes it to the disk and renames; the checkpoint that was there becomes the previous one,
 * or is replaced.
 *
 * A kill at any moment leaves the newest, or none of that name and the previous one, whole either way.
 * @throws {InputError} If the system refuses; the checkpoints that were there are then intact.
 */
export async function writeCheckpoint<Position>(
  path: string,
  checkpoint: Checkpoint<Position>,
  { keepPrevious = true }: { readonly keepPrevious?: boolean } = {},
): Promise<void> {
  // Two processes may write the same run for a moment, where a lost worker lives on: each has a name of its own.
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    await writeFlushed(temporary, serialise(checkpoint));
    if (keepPrevious) await renameIfThere(path, previousCheckpoint(path));
    await Deno.rename(temporary, path);
    await flushFolder(dirname(path));
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    const why = (error as { code?: string }).code === "ENOSPC" ? "the disk is full" : messageOf(error);
    throw new InputError(
      `Cannot write the checkpoint "${path}" as ${why}: make the folder writable, with space for two checkpoints, and ` +
        "run the same command again",
      { cause: error },
    );
  }
}

/** The bytes of a checkpoint, in the parts that they are made of. */
function serialise<Position>(checkpoint: Checkpoint<Position>): readonly Uint8Array<ArrayBuffer>[] {
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
  return [length, json, data];
}

async function writeFlushed(path: string, parts: readonly Uint8Array<ArrayBuffer>[]): Promise<void> {
  const file = await Deno.open(path, { write: true, createNew: true });
  try {
    for (const part of parts) {
      for (let written = 0; written < part.length;) written += await file.write(part.subarray(written));
    }
    await file.sync();
  } finally {
    file.close();
  }
}

async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await Deno.rename(from, to);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Flushes the names of a folder, so that a power cut does not undo a rename; some systems flush no folders. */
async function flushFolder(path: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  const folder = await Deno.open(path);
  try {
    await folder.sync();
  } finally {
    folder.close();
  }
}

/**
 * Reads a checkpoint.
 * @param remedy What to do about a damaged one, as the reader knows: only a run that goes on from its own may be told to
 * delete it, as any other may be a network that nothing else has.
 * @returns Null if there is none.
 * @throws {InputError} If the file is cut, damaged or of another schema.
 */
export async function readCheckpoint<Position>(
  path: string,
  remedy = "restore that file, or make it again",
): Promise<Checkpoint<Position> | null> {
  const read = await load<Position>(path);
  if (read instanceof InputError) throw new InputError(`${read.message}: ${remedy}`);
  return read;
}

/** A checkpoint; null: there is none; an error without a remedy: it is cut, damaged or of another schema. */
async function load<Position>(path: string): Promise<Checkpoint<Position> | InputError | null> {
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
    return new InputError(`Cannot read the checkpoint "${path}" as ${messageOf(error)}`);
  }
}

/**
 * Reads the newest checkpoint of a run that can be read, to go on from it: the one at `path`, else the previous one.
 *
 * A damaged one is set aside under the name `checkpoint.damaged.safetensors`, so that it never takes the place of the
 * previous one. For a teacher `readCheckpoint` alone is right: its previous checkpoint is another network.
 *
 * @param log Told when the newest cannot be used.
 * @returns Null if there is none.
 * @throws {InputError} If there are some and none can be read.
 */
export async function readNewestCheckpoint<Position>(
  path: string,
  log: (line: string) => void = () => {},
): Promise<Checkpoint<Position> | null> {
  const previous = previousCheckpoint(path), remedy = "delete it to start that run from its beginning";
  const newest = await load<Position>(path);
  if (newest === null) return await readCheckpoint<Position>(previous, remedy);
  if (!(newest instanceof InputError)) return newest;
  const older = await load<Position>(previous);
  if (older === null) throw new InputError(`${newest.message}: ${remedy}`);
  if (older instanceof InputError) {
    throw new InputError(
      `Cannot go on from "${path}" or from "${previous}" as both are damaged: delete both to start that run from its ` +
        "beginning",
      { cause: older },
    );
  }
  await renameIfThere(path, besideCheckpoint(path, "damaged"));
  log(`${newest.message}: going on from the one before it`);
  return older;
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
