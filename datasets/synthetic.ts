import { PARTS, sha256Of } from "../src/data/manifest.ts";
import { channelStatistics } from "../src/data/statistics.ts";
import type { Dataset, DatasetDefinition, Split } from "../src/data/types.ts";
import { type Stream, stream } from "../src/random/stream.ts";

const CLASSES = 10, SIZE = 32, CHANNELS = 3, TRAIN_COUNT = 2000, TEST_COUNT = 500;
/** Waves that make a class's pattern, and the largest number of periods of one across the image. */
const WAVES = 3, MAX_PERIODS = 3;
/** Largest shift of an image's pattern, in pixels, to either side. */
const MAX_SHIFT = 2;
/** Amplitudes in byte values: of one wave, and the standard deviation of the noise. */
const WAVE_BYTES = 25, NOISE_BYTES = 20;
/** Standard deviation of the sum of four uniform bytes: sqrt(4 (256² - 1) / 12). */
const FOUR_BYTES_STD = Math.sqrt((256 ** 2 - 1) / 3);

/** Seed of the data set: the same bytes for every run. */
const SEED = 0;

/** Patterns of a class: the sum of a few cosines, periodic in both directions, [size, size, channels] around 0. */
function patternOf(label: number): Float64Array {
  const draws = stream({ seed: SEED, purpose: "synthetic", a: label }),
    pattern = new Float64Array(SIZE * SIZE * CHANNELS);
  for (let c = 0; c < CHANNELS; c++) {
    for (let wave = 0; wave < WAVES; wave++) {
      const down = draws.integer(MAX_PERIODS + 1), right = draws.integer(MAX_PERIODS + 1), phase = draws.uniform();
      for (let y = 0; y < SIZE; y++) {
        for (let x = 0; x < SIZE; x++) {
          pattern[(y * SIZE + x) * CHANNELS + c]! += WAVE_BYTES *
            Math.cos(2 * Math.PI * ((down * y + right * x) / SIZE + phase));
        }
      }
    }
  }
  return pattern;
}

/** Noise close to normal, from the four bytes of one word. */
function noise(draws: Stream): number {
  const word = draws.word();
  const sum = (word & 255) + (word >>> 8 & 255) + (word >>> 16 & 255) + (word >>> 24);
  return (sum - 510) / FOUR_BYTES_STD * NOISE_BYTES;
}

/** Images of one split; image i has label i mod 10 and its own stream. */
function makeSplit(
  count: number,
  options: { patterns: readonly Float64Array[]; b: number },
): Split & { labels: Uint8Array } {
  const size = SIZE * SIZE * CHANNELS, images = new Uint8Array(count * size), labels = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const draws = stream({ seed: SEED, purpose: "synthetic", a: i, b: options.b }),
      pattern = options.patterns[i % CLASSES]!;
    const down = draws.integer(2 * MAX_SHIFT + 1), right = draws.integer(2 * MAX_SHIFT + 1);
    labels[i] = i % CLASSES;
    for (let y = 0; y < SIZE; y++) {
      for (let x = 0; x < SIZE; x++) {
        const from = ((y + down) % SIZE * SIZE + (x + right) % SIZE) * CHANNELS,
          to = i * size + (y * SIZE + x) * CHANNELS;
        for (let c = 0; c < CHANNELS; c++) {
          images[to + c] = Math.min(255, Math.max(0, Math.round(128 + pattern[from + c]! + noise(draws))));
        }
      }
    }
  }
  return { images, labels, count };
}

/**
 * Ten classes that a small net tells apart within an epoch: a smooth pattern a class, moved by up to 2 pixels, under noise.
 *
 *   image = 128 + pattern[class](shifted) + 20 e, clipped to bytes; pattern: 3 cosines of amplitude 25 a channel
 */
function makeSynthetic(): Dataset {
  const patterns = Array.from({ length: CLASSES }, (_, label) => patternOf(label));
  const train = makeSplit(TRAIN_COUNT, { patterns, b: 1 }), test = makeSplit(TEST_COUNT, { patterns, b: 2 });
  const parts = {
    trainImages: train.images,
    trainLabels: train.labels,
    testImages: test.images,
    testLabels: test.labels,
  };
  return {
    name: "synthetic",
    classes: CLASSES,
    imageShape: [SIZE, SIZE, CHANNELS],
    ...channelStatistics(train.images, CHANNELS),
    train,
    test,
    sha256: sha256Of(...PARTS.map((part) => parts[part])),
  };
}

export const synthetic: DatasetDefinition = {
  name: "synthetic",
  title: "Synthetic, 2,500 made-up colour images of 32 x 32 pixels in 10 classes, for tests: no file, no network",
  sizes: () => ({ train: TRAIN_COUNT, test: TEST_COUNT, imageShape: [SIZE, SIZE, CHANNELS] }),
  load: () => Promise.resolve(makeSynthetic()),
};
