import type { CompleteManifest, Part } from "../../src/data/manifest.ts";

/**
 * Fashion-MNIST: 60,000 training and 10,000 test images of 28 x 28 grey pixels in 10 classes (Xiao, Rasul, Vollgraf 2017,
 * arXiv:1708.07747). Sources and licence: README.md.
 */
export const MANIFEST: CompleteManifest = {
  name: "fashion_mnist",
  title: "Fashion-MNIST",
  classes: 10,
  imageShape: [28, 28, 1],
  mean: [0.2860406],
  std: [0.35302424],
  trainCount: 60_000,
  testCount: 10_000,
  sha256: "ca3ab2a37f845e1b8ae23cab1b51749a3011ba3bf1d9016176d75cbaabac376f",
  partSha256: {
    trainImages: "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
    trainLabels: "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
    testImages: "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
    testLabels: "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
  },
  officialFiles: "its four files such as train-images-idx3-ubyte.gz",
};

/** The official file of each part, IDX under gzip. */
export const FILES: Readonly<Record<Part, string>> = {
  trainImages: "train-images-idx3-ubyte.gz",
  trainLabels: "train-labels-idx1-ubyte.gz",
  testImages: "t10k-images-idx3-ubyte.gz",
  testLabels: "t10k-labels-idx1-ubyte.gz",
};

/** Where the authors put the files. */
export const OFFICIAL_FOLDER = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/";

/** Where the Debian package puts the files. */
export const DEBIAN_FOLDER = "/usr/share/datasets/fashion-mnist";
