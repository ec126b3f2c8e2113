/** Where the images and labels of one file go. */
export interface Place {
  /** [count, height, width, 3], a view. */
  readonly images: Uint8Array;
  /** [count], a view. */
  readonly labels: Uint8Array;
}

/**
 * Reads records of the binary CIFAR archives: for each image its label bytes (CIFAR-10: one; CIFAR-100: coarse, then fine),
 * then its red, its green and its blue plane. The last label byte is taken.
 *
 * @param options `file` names the bytes in an error; `pixels` is height times width.
 * @throws {Error} If the bytes are not as many as `place` wants.
 * @see Krizhevsky 2009, section "Binary version" of the data sets' page
 */
export function decodeCifarBinary(
  bytes: Uint8Array,
  place: Place,
  options: { file: string; pixels: number; labelBytes: 1 | 2 },
): void {
  const { file, pixels, labelBytes } = options, { images, labels } = place;
  const record = labelBytes + 3 * pixels, expected = labels.length * record;
  if (bytes.length !== expected) throw new Error(`${file} has ${bytes.length} bytes instead of ${expected}`);
  for (let i = 0; i < labels.length; i++) {
    const from = i * record + labelBytes, to = i * 3 * pixels;
    labels[i] = bytes[from - 1]!;
    for (let pixel = 0; pixel < pixels; pixel++) {
      for (let c = 0; c < 3; c++) images[to + 3 * pixel + c] = bytes[from + c * pixels + pixel]!;
    }
  }
}
