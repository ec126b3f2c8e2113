/**
 * Tensors of several types in the safetensors format; checkpoints, which are float32 alone, have their own module.
 * @see https://github.com/huggingface/safetensors#format
 */
import { headerAndData, type HeaderEntry } from "../checkpoint/safetensors.ts";
import { InputError, messageOf } from "../errors.ts";

/** Arrays by their name in the format. */
const ARRAYS = { F32: Float32Array, I8: Int8Array, U8: Uint8Array, U16: Uint16Array } as const;
type Dtype = keyof typeof ARRAYS;

/** A tensor; its type is that of its array. */
export interface StoredTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array | Int8Array | Uint8Array | Uint16Array;
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
    header[name] = { dtype, shape, data_offsets: [size, end] } satisfies HeaderEntry;
    size = end;
  }
  const text = JSON.stringify(header), json = new TextEncoder().encode(text);
  const length = Math.ceil(json.length / 8) * 8, file = new Uint8Array(8 + length + size);
  new DataView(file.buffer).setBigUint64(0, BigInt(length), true);
  file.fill(32, 8, 8 + length);
  file.set(json, 8);
  for (const name of names) {
    const { values } = tensors[name]!, [begin] = (header[name] as HeaderEntry).data_offsets;
    file.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), 8 + length + begin);
  }
  return file;
}

/** One tensor of a file; null: it has none of that name. @throws {InputError} If the file is damaged. */
export function readSafetensor(file: Uint8Array<ArrayBuffer>, name: string): StoredTensor | null {
  try {
    const { header: { [name]: entry }, data } = headerAndData(file);
    if (!entry) return null;
    const { buffer } = data.slice(...entry.data_offsets);
    return { shape: entry.shape, values: new ARRAYS[entry.dtype as Dtype](buffer) };
  } catch (error) {
    throw new InputError(
      `Cannot read ${name} in a safetensors file as it is damaged (${messageOf(error)}): export the run again`,
    );
  }
}
