/** Safetensors files that other programs wrote: of any number type, without our metadata and checksum. */
import { createHash } from "node:crypto";
import { InputError, messageOf } from "../errors.ts";
import { headerAndData, type NamedTensors } from "./safetensors.ts";

/** The tensors of a file in float32, and what is known of the file. */
export interface TorchFile {
  readonly tensors: NamedTensors;
  /** SHA-256 of the file's bytes. */
  readonly sha256: string;
  /** Number types that were converted to float32, by their names in the file. */
  readonly converted: readonly string[];
}

/** Bytes of a number, and how it is read, by the type's name in the file. */
const TYPES: Readonly<Record<string, readonly [bytes: number, read: (data: DataView, at: number) => number]>> = {
  F32: [4, (data, at) => data.getFloat32(at, true)],
  F16: [2, (data, at) => data.getFloat16(at, true)],
  BF16: [2, (data, at) => bfloat16(data.getUint16(at, true))],
  F64: [8, (data, at) => data.getFloat64(at, true)],
  // counts of batches, which PyTorch keeps and nothing here reads
  I64: [8, (data, at) => Number(data.getBigInt64(at, true))],
};

const WORD = new DataView(new ArrayBuffer(4));

/** The upper half of a float32. */
function bfloat16(bits: number): number {
  WORD.setUint32(0, bits << 16 >>> 0);
  return WORD.getFloat32(0);
}

/**
 * Reads a safetensors file of another program.
 * @throws {InputError} If there is no such file, or it is a pickle, is cut, or has numbers of another type.
 */
export function readTorchFile(path: string): TorchFile {
  const cannot = `Cannot import a network from ${path}`;
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = Deno.readFileSync(path);
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound ? "there is no such file" : messageOf(error);
    throw new InputError(`${cannot} as ${why}: give the path of a .safetensors file`);
  }
  if (isPickle(bytes)) {
    throw new InputError(
      `${cannot} as it is a pickle of PyTorch, which can run any code: convert it with ` +
        "`safetensors.torch.save_file(torch.load(PATH, weights_only=True), NEW_PATH)`",
    );
  }
  try {
    const { tensors, types } = tensorsOf(bytes);
    const converted = [...types].filter((type) => type !== "F32" && type !== "I64").sort();
    return { tensors, sha256: createHash("sha256").update(bytes).digest("hex"), converted };
  } catch (error) {
    throw new InputError(`${cannot} as ${messageOf(error)}: copy the file again, or convert it to float32 safetensors`);
  }
}

/** A zip file, as torch.save writes since version 1.6, or a bare pickle. */
function isPickle(bytes: Uint8Array): boolean {
  const [first, second, third] = bytes;
  return (first === 0x50 && second === 0x4b) || (first === 0x80 && second! >= 2 && second! <= 5 && third !== 0);
}

/** @throws {Error} If the bytes are no whole file; the message follows "as". */
function tensorsOf(bytes: Uint8Array<ArrayBuffer>): { tensors: NamedTensors; types: Set<string> } {
  const { header: { __metadata__: _, ...entries }, data: part } = headerAndData(bytes);
  const types = new Set<string>(), data = new DataView(part.buffer, part.byteOffset);
  const tensors = Object.entries(entries).map(([name, { dtype, shape, data_offsets: [begin, end] }]) => {
    const type = TYPES[dtype];
    if (type === undefined) throw new Error(`tensor ${name} has numbers of type ${dtype}`);
    const [size, read] = type, count = shape.reduce((product, dim) => product * dim, 1);
    if (end > data.byteLength) throw new Error(`it is cut: tensor ${name} ends at byte ${end} of ${data.byteLength}`);
    if (end - begin !== size * count) {
      throw new Error(`tensor ${name} has ${end - begin} bytes for [${shape}] of ${dtype}`);
    }
    types.add(dtype);
    return [name, {
      shape,
      values: Float32Array.from({ length: count }, (_, i) => read(data, begin + size * i)),
    }] as const;
  });
  return { tensors: Object.fromEntries(tensors), types };
}
