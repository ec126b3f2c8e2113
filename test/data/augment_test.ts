import assert from "node:assert/strict";
import { type Augmentation, copyAugmented, CROP_PADDING, NO_AUGMENTATION } from "../../src/data/augment.ts";

/** Two images of 2 x 3 pixels and 2 channels: image 1 holds 13 to 24, row by row. */
const SOURCE = Uint8Array.from({ length: 24 }, (_, i) => i + 1);

function augmented(augmentation: Augmentation): number[] {
  const target = new Int32Array(24);
  copyAugmented(SOURCE, target, { imageShape: [2, 3, 2], from: 1, to: 0, augmentation });
  assert.deepEqual([...target.subarray(12)], new Array(12).fill(0)); // the other place is not touched
  return [...target.subarray(0, 12)];
}

Deno.test("copyAugmented() copies an image as it is at the middle of the padding", () => {
  assert.deepEqual(augmented(NO_AUGMENTATION), [13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24]);
});

Deno.test("copyAugmented() mirrors pixels and keeps their channels in order", () => {
  assert.deepEqual(augmented({ ...NO_AUGMENTATION, flip: true }), [17, 18, 15, 16, 13, 14, 23, 24, 21, 22, 19, 20]);
});

Deno.test("copyAugmented() moves the image up and left where the crop starts below and right of the middle", () => {
  const moved = { top: CROP_PADDING + 1, left: CROP_PADDING + 2, flip: false };
  assert.deepEqual(augmented(moved), [23, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
});

Deno.test("copyAugmented() moves the image down and right where the crop starts above and left of the middle", () => {
  const moved = { top: CROP_PADDING - 1, left: CROP_PADDING - 1, flip: false };
  assert.deepEqual(augmented(moved), [0, 0, 0, 0, 0, 0, 0, 0, 13, 14, 15, 16]);
});

Deno.test("copyAugmented() mirrors after the crop", () => {
  const moved = { top: CROP_PADDING, left: CROP_PADDING + 1, flip: true };
  assert.deepEqual(augmented(moved), [0, 0, 17, 18, 15, 16, 0, 0, 23, 24, 21, 22]);
});

Deno.test("copyAugmented() leaves zeros where the crop misses the image", () => {
  assert.deepEqual(augmented({ top: 0, left: 8, flip: true }), new Array(12).fill(0));
});

Deno.test("copyAugmented() equals padding, cropping and mirroring pixel by pixel, for every crop of a 5 x 6 image", () => {
  const [height, width, channels] = [5, 6, 3] as const, image = Uint8Array.from({ length: 90 }, (_, i) => 255 - i);
  for (let top = 0; top <= 2 * CROP_PADDING; top++) {
    for (let left = 0; left <= 2 * CROP_PADDING; left++) {
      for (const flip of [false, true]) {
        const target = new Int32Array(90), expected: number[] = [];
        copyAugmented(image, target, {
          imageShape: [height, width, channels],
          from: 0,
          to: 0,
          augmentation: { top, left, flip },
        });
        for (let y = 0; y < height; y++) {
          for (let x = 0; x < width; x++) {
            const fromY = y + top - CROP_PADDING, fromX = (flip ? width - 1 - x : x) + left - CROP_PADDING;
            const inside = fromY >= 0 && fromY < height && fromX >= 0 && fromX < width;
            for (let c = 0; c < channels; c++) {
              expected.push(inside ? image[(fromY * width + fromX) * channels + c]! : 0);
            }
          }
        }
        assert.deepEqual([...target], expected, `top ${top}, left ${left}, flip ${flip}`);
      }
    }
  }
});
