/** Class indices, of two bytes where there are more than 256 classes. */
export type Labels = Uint8Array | Uint16Array;

/** Images as bytes and their labels. */
export interface Split {
  /** [count, height, width, channels], one byte a value. */
  readonly images: Uint8Array;
  /** [count], class indices. */
  readonly labels: Labels;
  /** Number of images. */
  readonly count: number;
}

/** A decoded image classification data set. */
export interface Dataset {
  /** Name in a run spec. */
  readonly name: string;
  /** Number of classes. */
  readonly classes: number;
  /** [height, width, channels]. */
  readonly imageShape: readonly [number, number, number];
  /** Mean per channel of the training images, of values divided by 255. */
  readonly mean: readonly number[];
  /** Standard deviation, likewise. */
  readonly std: readonly number[];
  /** Images to train on. */
  readonly train: Split;
  /** Images to evaluate on. */
  readonly test: Split;
  /** SHA-256 of the decoded bytes, equal whatever the source: train images, train labels, test images, test labels. */
  readonly sha256: string;
}

/** Where data sets lie and how they are fetched. */
export interface DataOptions {
  /** Folder of decoded data sets, one subfolder each. */
  readonly cache: string;
  /** Says what happens (download, decoding), for people. */
  readonly log?: (message: string) => void;
  /**
   * Fetch anew, in place of what the cache holds.
   * @default false
   */
  readonly fresh?: boolean;
}

/** Numbers of images in a data set, and their size. */
export interface DatasetSizes {
  /** Training images. */
  readonly train: number;
  /** Test images. */
  readonly test: number;
  /** [height, width, channels]. */
  readonly imageShape: readonly [number, number, number];
}

/** One data set: a folder under `datasets/` and a line in `datasets/mod.ts`. */
export interface DatasetDefinition {
  /** Name in a run spec. */
  readonly name: string;
  /** Name for people. */
  readonly title: string;
  /** Sizes that a plan counts with before anything is fetched; null: not known then. */
  readonly sizes: () => DatasetSizes | null;
  /** Fetches and decodes it. @throws {InputError} If it can be had from no source, or its bytes are not the ones of the manifest. */
  readonly load: (options: DataOptions) => Promise<Dataset>;
}

/** Data sets of the user's own, named by a pattern: one folder under `datasets/` and a line in `datasets/mod.ts`. */
export interface DatasetFamily {
  /** Beginning of their names, such as `folder:`. */
  readonly prefix: string;
  /** For people: `folder:NAME@SIDE`. */
  readonly pattern: string;
  /** Name for people. */
  readonly title: string;
  /** Finds a member. @throws {InputError} If the name does not fit the pattern. */
  readonly named: (name: string) => DatasetDefinition;
}
