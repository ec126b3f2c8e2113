/** Zeros on every side of an image before it is cropped back to its size. */
export const CROP_PADDING = 4;

/** Augmentation of one image. */
export interface Augmentation {
  /** Rows and columns of the padded image before the crop, in [0, 2 CROP_PADDING]; CROP_PADDING changes nothing. */
  readonly top: number;
  readonly left: number;
  /** Mirror left and right, after the crop. */
  readonly flip: boolean;
}

/** Leaves an image as it is. */
export const NO_AUGMENTATION: Augmentation = { top: CROP_PADDING, left: CROP_PADDING, flip: false };

/** Where an image is taken from and put to. */
export interface CopyOptions {
  /** [height, width, channels]. */
  readonly imageShape: readonly [number, number, number];
  /** Places in units of images. */
  readonly from: number;
  readonly to: number;
  readonly augmentation: Augmentation;
}

/**
 * Copies one image, padded by zeros, cropped and mirrored:
 *
 *   target[y, x, c] = source[y + top - 4, x' + left - 4, c], x' = width - 1 - x if mirrored, else x; 0 outside
 *
 * The zeros are bytes, before normalisation, as RandomCrop(padding=4) then RandomHorizontalFlip in PyTorch on the raw image.
 *
 * @param target Zeros where the image goes: what the crop takes from the padding is not written.
 */
export function copyAugmented(
  source: Uint8Array | Int32Array,
  target: Int32Array | Uint8Array,
  options: CopyOptions,
): void {
  const [height, width, channels] = options.imageShape, { top, left, flip } = options.augmentation;
  const rowSize = width * channels, down = top - CROP_PADDING, right = left - CROP_PADDING;
  const yEnd = Math.min(height, height - down), xStart = Math.max(0, -right), xEnd = Math.min(width, width - right);
  for (let y = Math.max(0, -down); y < yEnd; y++) {
    const fromRow = (options.from * height + y + down) * rowSize, toRow = (options.to * height + y) * rowSize;
    let from = fromRow + (xStart + right) * channels;
    if (!flip) {
      const end = toRow + xEnd * channels;
      for (let to = toRow + xStart * channels; to < end; to++) target[to] = source[from++]!;
      continue;
    }
    for (let x = xStart; x < xEnd; x++) {
      const to = toRow + (width - 1 - x) * channels;
      for (let c = 0; c < channels; c++) target[to + c] = source[from++]!;
    }
  }
}
