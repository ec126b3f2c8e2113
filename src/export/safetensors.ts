/**
 * Tensors of several types in the safetensors format; checkpoints, which are float32 alone, have their own module.
 * @see https://github.com/huggingface/safetensors#format
 */
import { InputError, messageOf } from "../errors.ts";

/** Arrays by their name in the format. */
const ARRAYS = { F32: Float32Array, I8: Int8Array, U8: Uint8Array, U16: Uint16Array } as const;
type Dtype = keyof typeof ARRAYS;

/** A tensor; its type is that of its array. */
export interface StoredTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array | Int8Array | Uint8Array | Uint16Array;
}

interface Entry {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** The bytes of a file; each tensor begins at a multiple of 8. */
export function safetensorsFile(
  tensors: Readonly<Record<string, StoredTensor>>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let size = 0;
  // by falling width, so that no tensor needs space before it
  const names = Object.keys(tensors).sort((a, b) =>
    tensors[b]!.values.BYTES_PER_ELEMENT - tensors[a]!.values.BYTES_PER_ELEMENT || (a < b ? -1 : 1)
  );
  for (const name of names) {
    const { shape, values } = tensors[name]!, end = size + values.byteLength;
    const dtype = (Object.keys(ARRAYS) as Dtype[]).find((key) => values instanceof ARRAYS[key])!;
    header[name] = { dtype, shape, data_offsets: [size, end] } satisfies Entry;
    size = end;
  }
  const text = JSON.stringify(header), json = new TextEncoder().encode(text);
  const length = Math.ceil(json.length / 8) * 8, file = new Uint8Array(8 + length + size);
  new DataView(file.buffer).setBigUint64(0, BigInt(length), true);
  file.fill(32, 8, 8 + length);
  file.set(json, 8);
  for (const name of names) {
    const { values } = tensors[name]!, [begin] = (header[name] as Entry).data_offsets;
    file.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), 8 + length + begin);
  }
  return file;
}

/** One tensor of a file; null: it has none of that name. @throws {InputError} If the file is damaged. */
export function readSafetensor(file: Uint8Array<ArrayBuffer>, name: string): StoredTensor | null {
  try {
    const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length))) as Record<string, Entry>;
    const entry = header[name];
    if (!entry) return null;
    const [begin, end] = entry.data_offsets, bytes = file.slice(8 + length + begin, 8 + length + end);
    return { shape: entry.shape, values: new ARRAYS[entry.dtype](bytes.buffer) };
  } catch (error) {
    throw new InputError(
      `Cannot read ${name} in a safetensors file as it is damaged (${messageOf(error)}): export the run again`,
    );
  }
}
