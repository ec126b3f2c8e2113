/** Bytes with a shape. */
export interface IdxArray {
  readonly shape: readonly number[];
  /** A view of the file's bytes. */
  readonly values: Uint8Array;
}

/**
 * Reads an array of bytes in IDX, the format of MNIST: 0, 0, 8 (unsigned byte), number of dimensions, each dimension as a
 * big-endian uint32, then the values, the last dimension fastest.
 *
 * @throws {Error} If it is of another format or another length than its header says.
 * @see LeCun, Cortes, Burges, "The MNIST database of handwritten digits", section "File formats"
 */
export function decodeIdx(file: Uint8Array): IdxArray {
  const rank = file[3] ?? 0, header = 4 + 4 * rank;
  if (file[0] !== 0 || file[1] !== 0 || file[2] !== 8 || rank === 0 || file.length < header) {
    throw new Error("it is no IDX file of bytes");
  }
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const size = shape.reduce((product, dim) => product * dim, 1), values = file.subarray(header);
  if (values.length !== size) throw new Error(`it holds ${values.length} values where its header says ${size}`);
  return { shape, values };
}
