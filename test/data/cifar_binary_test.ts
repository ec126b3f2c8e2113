import assert from "node:assert/strict";
import { decodeCifarBinary } from "../../src/data/cifar_binary.ts";

// two images of 1 x 2 pixels: planes RR GG BB, behind a coarse and a fine label
const TWO_LABELS = Uint8Array.of(9, 4, 1, 2, 11, 12, 21, 22, 8, 5, 3, 4, 13, 14, 23, 24);

Deno.test("decodeCifarBinary() interleaves the planes and takes the last label byte", () => {
  const place = { images: new Uint8Array(12), labels: new Uint8Array(2) };
  decodeCifarBinary(TWO_LABELS, place, { file: "train.bin", pixels: 2, labelBytes: 2 });
  assert.deepEqual([...place.images], [1, 11, 21, 2, 12, 22, 3, 13, 23, 4, 14, 24]);
  assert.deepEqual([...place.labels], [4, 5]);
});

Deno.test("decodeCifarBinary() says how long a file must be", () => {
  const place = { images: new Uint8Array(12), labels: new Uint8Array(2) };
  assert.throws(
    () => decodeCifarBinary(TWO_LABELS.subarray(1), place, { file: "test.bin", pixels: 2, labelBytes: 2 }),
    { message: "test.bin has 15 bytes instead of 16" },
  );
});
