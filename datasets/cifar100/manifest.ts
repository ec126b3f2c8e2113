import type { Manifest } from "../../src/data/manifest.ts";

/**
 * CIFAR-100: 50,000 training and 10,000 test images of 32 x 32 pixels in 100 classes (Krizhevsky 2009, "Learning multiple
 * layers of features from tiny images", chapter 3). Sources, licence, and why there are no checksums: README.md.
 */
export const MANIFEST: Manifest = {
  name: "cifar100",
  title: "CIFAR-100",
  classes: 100,
  imageShape: [32, 32, 3],
  trainCount: 50_000,
  testCount: 10_000,
  officialFiles: "cifar-100-binary.tar.gz",
};

/** The official archive. */
export const ARCHIVE = {
  url: "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
  file: "cifar-100-binary.tar.gz",
  md5: "03b5dce01913d631647c71ecec9e9cb8",
} as const;
