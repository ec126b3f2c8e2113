import assert from "node:assert/strict";
import { copyAugmented } from "../../src/data/augment.ts";
import type { ImageShape } from "../../src/data/pixels.ts";
import {
  augmentStrongly,
  MAGNITUDE,
  OPERATIONS,
  OPERATIONS_PER_IMAGE,
  strongAugmentationOf,
} from "../../src/data/strong.ts";

/** What test/golden/make_golden_augment.py got from PIL. */
interface Golden {
  readonly images: Record<string, { shape: ImageShape; offset: number }>;
  readonly cases: { image: string; operation: string; level: number; sign: 1 | -1; amount: number; offset: number }[];
  readonly crops: { top: number; left: number; flip: boolean; offset: number }[];
}
const FOLDER = new URL("../golden/", import.meta.url);
const GOLDEN: Golden = JSON.parse(Deno.readTextFileSync(new URL("augment.json", FOLDER)));
const BYTES = Deno.readFileSync(new URL("augment.bin", FOLDER));

function goldenBytes(offset: number, [height, width, channels]: ImageShape): Uint8Array {
  return BYTES.slice(offset, offset + height * width * channels);
}

function goldenImage(name: string) {
  const { shape, offset } = GOLDEN.images[name]!;
  return { shape, bytes: goldenBytes(offset, shape) };
}

for (const { name, amount, apply } of OPERATIONS.filter(({ name }) => name !== "identity")) {
  Deno.test(`${name} equals PIL, byte for byte, at every level, with its amounts`, () => {
    const cases = GOLDEN.cases.filter(({ operation }) => operation === name);
    assert.ok(cases.length >= 5, `${cases.length} cases`);
    for (const golden of cases) {
      const { shape, bytes } = goldenImage(golden.image), target = new Uint8Array(bytes.length).fill(255);
      assert.equal(amount(golden.level, golden.sign), golden.amount);
      apply({ shape, bytes }, target, golden.amount);
      const expected = goldenBytes(golden.offset, shape), at = target.findIndex((value, i) => value !== expected[i]);
      assert.equal(at, -1, `${golden.image}, level ${golden.level}: ${target[at]} is not ${expected[at]} at ${at}`);
      assert.deepEqual(bytes, goldenImage(golden.image).bytes); // the source is left alone
    }
  });
}

Deno.test("copyAugmented() equals PIL's padded crop and mirror, byte for byte", () => {
  const { shape: imageShape, bytes } = goldenImage("smooth");
  for (const { offset, ...augmentation } of GOLDEN.crops) {
    const target = new Int32Array(bytes.length);
    copyAugmented(bytes, target, { imageShape, from: 0, to: 0, augmentation });
    assert.deepEqual([...target], [...goldenBytes(offset, imageShape)], JSON.stringify(augmentation));
  }
});

const SHAPE = [32, 32, 3] as const;
const at = { seed: 1, epoch: 2, view: 1, imageShape: SHAPE };

Deno.test("OPERATIONS are the 14 of FixMatch, each with a name of its own", () => {
  assert.deepEqual(
    OPERATIONS.map(({ name }) => name),
    "autoContrast brightness color contrast equalize identity posterize rotate sharpness shearX shearY solarize translateX translateY"
      .split(" "),
  );
});

Deno.test("strongAugmentationOf() draws each operation equally often, applies half of the draws, and every level and sign", () => {
  const images = 14_000, seen = new Map<string, Set<number>>(), counts = new Map<string, number>();
  let applied = 0;
  for (let image = 0; image < images; image++) {
    const { operations } = strongAugmentationOf(image, at);
    assert.ok(operations.length <= OPERATIONS_PER_IMAGE);
    applied += operations.length;
    for (const { name, amount } of operations) {
      counts.set(name, (counts.get(name) ?? 0) + 1);
      seen.set(name, (seen.get(name) ?? new Set()).add(amount));
    }
  }
  // 4 standard errors of 14,000 of 28,000 draws: 335; chi-square with 13 degrees of freedom: 34.5 is passed once in 1,000
  assert.ok(Math.abs(applied - images) < 335, `${applied} applied`);
  const expected = applied / OPERATIONS.length;
  const chiSquare = OPERATIONS.reduce((sum, { name }) => sum + (counts.get(name)! - expected) ** 2 / expected, 0);
  assert.ok(chiSquare < 34.5, `chi-square ${chiSquare}`);
  const levels = Array.from({ length: MAGNITUDE - 1 }, (_, i) => i + 1);
  for (const { name, amount } of OPERATIONS) {
    const all = new Set(levels.flatMap((k) => ([1, -1] as const).map((sign) => amount(k, sign))));
    assert.deepEqual([...seen.get(name)!].sort(), [...all].sort(), name);
  }
});

Deno.test("strongAugmentationOf() draws other values for another image, epoch, view or seed, and the same again", () => {
  const drawn = (changes: Partial<typeof at>, first = 0) =>
    JSON.stringify(Array.from({ length: 8 }, (_, i) => strongAugmentationOf(first + i, { ...at, ...changes })));
  const all = [drawn({}), drawn({ epoch: 3 }), drawn({ view: 0 }), drawn({ seed: 2 }), drawn({}, 100)];
  assert.equal(new Set(all).size, 5);
  assert.equal(drawn({}), all[0]);
});

Deno.test("augmentStrongly() applies the operations in order, then fills the box with grey", () => {
  const shape = [2, 3, 1] as const, bytes = Uint8Array.of(10, 100, 200, 30, 140, 250);
  const operations = [{ name: "solarize", amount: 128 }, { name: "posterize", amount: 4 }];
  const result = augmentStrongly({ shape, bytes }, { operations, cutout: { top: 1, bottom: 2, left: 0, right: 2 } });
  // 10 100 55 30 115 5, then the upper 4 bits, then grey over the first two of the second row
  assert.deepEqual([...result], [0, 96, 48, 127, 127, 0]);
});

Deno.test("augmentStrongly() without operations is cutout alone", () => {
  const bytes = new Uint8Array(3072).fill(9), { cutout } = strongAugmentationOf(0, at);
  const result = augmentStrongly({ shape: SHAPE, bytes }, { operations: [], cutout });
  const grey = result.filter((value) => value === 127).length;
  assert.equal(grey, 3 * (cutout.bottom - cutout.top) * (cutout.right - cutout.left));
  assert.equal(result.filter((value) => value === 9).length, 3072 - grey);
});

Deno.test("augmentStrongly() refuses images of 4 channels with one sentence", () => {
  const image = { shape: [1, 1, 4] as const, bytes: new Uint8Array(4) };
  assert.throws(
    () => augmentStrongly(image, { operations: [], cutout: { top: 0, bottom: 0, left: 0, right: 0 } }),
    {
      name: "InputError",
      message: "Cannot augment images of 4 channels strongly: take images of 1 or 3 channels, or weak views",
    },
  );
});
