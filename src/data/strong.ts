/**
 * The strong augmentation: RandAugment in FixMatch's form for CIFAR, then cutout; both after crop and mirror.
 *
 * `OPERATIONS` is the whole pool with its ranges. Two of it are drawn, each with a level k from 1 to 9 of m = 10, and each is
 * applied with probability 1/2; signs are drawn too. The pool, its ranges and random magnitudes are FixMatch's (its appendix);
 * levels and the probability are those of github.com/kekmodel/FixMatch-pytorch. RandAugment itself sets one magnitude and applies all it draws.
 *
 * @see Cubuk et al., CVPR Workshops 2020, arXiv:1909.13719; Sohn et al., NeurIPS 2020, arXiv:2001.07685
 */
import { InputError } from "../errors.ts";
import { type Stream, stream } from "../random/stream.ts";
import { type Affine, rotate, shearX, shearY, transform, translateX, translateY } from "./affine.ts";
import {
  autoContrast,
  brightness,
  color,
  contrast,
  equalize,
  type Image,
  type ImageShape,
  posterize,
  sharpness,
  solarize,
} from "./pixels.ts";

/** Side of the square on an image of 32 pixels: half the image. */
const CUTOUT_SHARE = 0.5;
/** Grey, as FixMatch fills it; DeVries and Taylor take 0 of normalised values, which is the same but for rounding. */
const CUTOUT_FILL = 127;

/** Rows [top, bottom) and columns [left, right). */
export interface CutoutBox {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/**
 * A square of half the image's width, its middle at any pixel with equal probability; what sticks out is cut off:
 * rows max(0, y - side/2) to min(height, y + side/2).
 *
 * @see DeVries and Taylor 2017, arXiv:1708.04552, section 3.2 (16 x 16 on CIFAR-10)
 */
export function drawCutout(draws: Stream, [height, width]: ImageShape): CutoutBox {
  const half = Math.floor(width * CUTOUT_SHARE / 2), y = draws.integer(height), x = draws.integer(width);
  return {
    top: Math.max(0, y - half),
    bottom: Math.min(height, y + half),
    left: Math.max(0, x - half),
    right: Math.min(width, x + half),
  };
}

/** Fills the box with grey, in place. */
export function cutout({ bytes, shape: [, width, channels] }: Image, box: CutoutBox): void {
  for (let y = box.top; y < box.bottom; y++) {
    bytes.fill(CUTOUT_FILL, (y * width + box.left) * channels, (y * width + box.right) * channels);
  }
}

/** n: operations drawn for an image, with repetition. */
export const OPERATIONS_PER_IMAGE = 2;
/** m: levels are whole numbers k with 1 <= k < m. */
export const MAGNITUDE = 10;
const PROBABILITY = 0.5;

/** One operation of the pool: `apply` gets what `amount` makes of a level; a sign of -1 turns geometric ones around. */
interface Operation {
  readonly name: string;
  /** @param k Level, 1 to 9. @param sign 1 or -1. */
  readonly amount: (k: number, sign: 1 | -1) => number;
  readonly apply: (image: Image, target: Uint8Array, amount: number) => void;
}

const none = () => 0;
/** 0.05 + 0.9 k / m: a factor of an enhancement, below 1. */
const factor = (k: number) => k * 0.9 / MAGNITUDE + 0.05;
/** ± 0.3 k / m. */
const slope = (k: number, sign: number) => sign * (k * 0.3 / MAGNITUDE);

function geometric(make: (amount: number, image: Image) => Affine): Operation["apply"] {
  return (image, target, amount) => transform(image, target, make(amount, image));
}

/** The pool. Amounts: FixMatch's ranges, linear in the level; translations and angles are cut to whole pixels and degrees. */
export const OPERATIONS: readonly Operation[] = [
  { name: "autoContrast", amount: none, apply: autoContrast },
  { name: "brightness", amount: factor, apply: brightness },
  { name: "color", amount: factor, apply: color },
  { name: "contrast", amount: factor, apply: contrast },
  { name: "equalize", amount: none, apply: equalize },
  { name: "identity", amount: none, apply: ({ bytes }, target) => target.set(bytes) },
  { name: "posterize", amount: (k) => 4 + Math.trunc(k * 4 / MAGNITUDE), apply: posterize },
  {
    name: "rotate",
    amount: (k, sign) => sign * Math.trunc(k * 30 / MAGNITUDE),
    apply: geometric((degrees, image) => rotate(degrees, image)),
  },
  { name: "sharpness", amount: factor, apply: sharpness },
  { name: "shearX", amount: slope, apply: geometric((amount) => shearX(amount)) },
  { name: "shearY", amount: slope, apply: geometric((amount) => shearY(amount)) },
  { name: "solarize", amount: (k) => 256 - Math.trunc(k * 256 / MAGNITUDE), apply: solarize },
  {
    name: "translateX",
    amount: slope,
    apply: geometric((amount, { shape: [, width] }) => translateX(Math.trunc(amount * width))),
  },
  {
    name: "translateY",
    amount: slope,
    apply: geometric((amount, { shape: [height] }) => translateY(Math.trunc(amount * height))),
  },
];

/** Strong augmentation of one image. */
export interface StrongAugmentation {
  /** In order: an operation of the pool by name, and its amount. */
  readonly operations: readonly { readonly name: string; readonly amount: number }[];
  readonly cutout: CutoutBox;
}

/**
 * Draws what is done to an image in one strong view of an epoch. It comes from the stream (seed, epoch, image, view), so it
 * does not depend on any order.
 */
export function strongAugmentationOf(
  image: number,
  options: { seed: number; epoch: number; view: number; imageShape: ImageShape },
): StrongAugmentation {
  const { seed, epoch, view, imageShape } = options;
  const draws = stream({ seed, purpose: "strong_augmentation", a: epoch, b: 2 * image + view });
  const operations: { name: string; amount: number }[] = [];
  for (let i = 0; i < OPERATIONS_PER_IMAGE; i++) {
    // four draws always, so that no operation moves the draws of the next
    const { name, amount } = OPERATIONS[draws.integer(OPERATIONS.length)]!, k = 1 + draws.integer(MAGNITUDE - 1);
    const applied = draws.uniform() < PROBABILITY, sign = draws.uniform() < 0.5 ? -1 : 1;
    if (applied) operations.push({ name, amount: amount(k, sign) });
  }
  return { operations, cutout: drawCutout(draws, imageShape) };
}

/**
 * The image after `augmentation`: its operations, then cutout.
 * @returns A new array, or `image.bytes` itself, changed.
 * @throws {InputError} If the image has not 1 or 3 channels.
 */
export function augmentStrongly(image: Image, augmentation: StrongAugmentation): Uint8Array {
  const { shape } = image;
  if (shape[2] !== 1 && shape[2] !== 3) {
    throw new InputError(
      `Cannot augment images of ${shape[2]} channels strongly: take images of 1 or 3 channels, or weak views`,
    );
  }
  let bytes = image.bytes, spare: Uint8Array = new Uint8Array(bytes.length);
  for (const { name, amount } of augmentation.operations) {
    const operation = OPERATIONS.find((operation) => operation.name === name)!;
    operation.apply({ bytes, shape }, spare, amount);
    [bytes, spare] = [spare, bytes];
  }
  cutout({ bytes, shape }, augmentation.cutout);
  return bytes;
}
