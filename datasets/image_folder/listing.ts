/** Lists an image folder: train/CLASS/* and val/CLASS/*. */
import { createHash } from "node:crypto";
import { join, relative } from "node:path";
import type { DatasetSizes } from "../../src/data/types.ts";
import { InputError, messageOf } from "../../src/errors.ts";

const ENDING = /\.(jpe?g|png)$/i;
/** Endings of images that are not read: leaving such a file out silently would change the data set. */
const OTHER_IMAGES = /\.(jfif|jpe|webp|gif|bmp|tiff?|avif|heic|jp2|ppm|pgm|npy)$/i;

/** One image file and its class. */
export interface ImageFile {
  readonly path: string;
  readonly label: number;
}

/** All image files of a data set. */
export interface ImageListing {
  /** Sorted; a class's label is its place. */
  readonly classes: readonly string[];
  readonly train: readonly ImageFile[];
  readonly val: readonly ImageFile[];
  /** Entries whose name is not that of an image, as paths in the folder; sorted. */
  readonly skipped: readonly string[];
  /** Changes when a file comes, goes, or changes its name, size or time. */
  readonly origin: string;
}

/** An entry of a folder, seen through links. */
interface Entry {
  readonly name: string;
  readonly path: string;
  readonly info: Deno.FileInfo;
}

/**
 * Lists the entries of a folder, sorted by code unit. Hidden ones are left out.
 * @throws {Error} If the folder or an entry cannot be read, or a name is not UTF-8; the path is named.
 */
function entries(folder: string): Entry[] {
  const names = trying(folder, () => [...Deno.readDirSync(folder)].map(({ name }) => name));
  return names.filter((name) => !name.startsWith(".")).sort().map((name) => {
    const path = join(folder, name);
    if (name.includes("\ufffd")) throw new Error(`"${path}" has a name that is not UTF-8: rename it`);
    return { name, path, info: trying(path, () => Deno.statSync(path)) };
  });
}

function trying<Value>(path: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound
      ? "is a link to a file that is not there"
      : error instanceof Deno.errors.PermissionDenied
      ? "may not be read"
      : `cannot be read (${messageOf(error)})`;
    throw new Error(`"${path}" ${why}: replace it or take it away`);
  }
}

/**
 * Finds the class folders of a split.
 * @param skipped Gets the paths of what is left out.
 * @throws {Error} If an image lies beside them, or something that is neither file nor folder.
 */
function classFolders(split: string, skipped: string[] = []): Entry[] {
  const all = entries(split);
  const stray = all.find(({ name, info }) => !info.isDirectory && (ENDING.test(name) || OTHER_IMAGES.test(name)));
  if (stray) throw new Error(`"${stray.path}" lies in no class: move it into a folder of "${split}"`);
  const odd = all.find(({ info }) => !info.isDirectory && !info.isFile);
  if (odd) throw new Error(`"${odd.path}" is neither a file nor a folder: take it away`);
  skipped.push(...all.filter(({ info }) => info.isFile).map(({ path }) => path));
  return all.filter(({ info }) => info.isDirectory);
}

/**
 * Finds the images of a class.
 * @param skipped Gets the paths of what is left out.
 * @throws {Error} If the folder holds another folder or an image of another kind.
 */
function imagesOf({ path: folder }: Pick<Entry, "path">, skipped: string[] = []): Entry[] {
  const all = entries(folder);
  const inner = all.find(({ info }) => !info.isFile);
  if (inner) throw new Error(`"${inner.path}" is no file: put the images of a class directly into its folder`);
  const other = all.find(({ name }) => OTHER_IMAGES.test(name));
  if (other) throw new Error(`"${other.path}" is neither JPEG nor PNG by its name: convert it or take it away`);
  skipped.push(...all.filter(({ name }) => !ENDING.test(name)).map(({ path }) => path));
  return all.filter(({ name }) => ENDING.test(name));
}

/**
 * Counts the images of a folder by their names alone, so that a plan knows them before anything is read.
 * @returns Null if the folder cannot be listed: loading it says why.
 */
export function countImages(folder: string): Pick<DatasetSizes, "train" | "test"> | null {
  const count = (split: string) =>
    classFolders(join(folder, split)).reduce((sum, entry) => sum + imagesOf(entry).length, 0);
  try {
    return { train: count("train"), test: count("val") };
  } catch {
    return null;
  }
}

/**
 * Lists a folder. Every entry is a class, an image, a file that is none by its ending, or hidden; all else is an error.
 *
 * The images of a split take turns: the first file of every class, then the second of every class that has one, and so on, so
 * that the first images of a split are of all classes.
 *
 * @param name Of the data set, for messages.
 * @throws {InputError} If an entry cannot be used, a class is empty, or train and val have other classes.
 */
export function listImages(folder: string, name: string): ImageListing {
  try {
    return listed(folder);
  } catch (error) {
    throw new InputError(`Cannot use data set "${name}" as ${messageOf(error)}`);
  }
}

function listed(folder: string): ImageListing {
  const names = ["train", "val"], skipped: string[] = [];
  const splits = names.map((split) => {
    const path = join(folder, split);
    if (!isFolder(path)) {
      throw new Error(`"${path}" is no folder: put images into train/CLASS and val/CLASS of "${folder}"`);
    }
    return { split, folders: classFolders(path, skipped) };
  });
  const [classes, valClasses] = splits.map(({ folders }) => folders.map((entry) => entry.name)) as [string[], string[]];
  if (classes.length < 2 || classes.length > 65_536) {
    throw new Error(
      `"${join(folder, "train")}" has ${classes.length} folders: put one there for each of 2 to 65536 classes`,
    );
  }
  const odd = valClasses.find((entry) => !classes.includes(entry)) ??
    classes.find((entry) => !valClasses.includes(entry));
  if (odd !== undefined) {
    const [there, absent] = valClasses.includes(odd) ? ["val", "train"] : ["train", "val"];
    throw new Error(`class "${odd}" is in ${there} and not in ${absent}: give both the same folders`);
  }
  const hash = createHash("sha256");
  const [train, val] = splits.map(({ split, folders }) => {
    const ranked = folders.flatMap((entry, label) => {
      const files = imagesOf(entry, skipped);
      if (files.length === 0) throw new Error(`"${entry.path}" has no .jpg, .jpeg or .png file: put images there`);
      return files.map(({ name, path, info: { size, mtime } }, rank) => {
        hash.update(JSON.stringify([split, entry.name, name, size, mtime?.getTime() ?? null]));
        return { path, label, rank };
      });
    });
    return ranked.sort((a, b) => a.rank - b.rank || a.label - b.label).map(({ path, label }) => ({ path, label }));
  }) as [ImageFile[], ImageFile[]];
  skipped.push(...entries(folder).filter(({ name }) => !names.includes(name)).map(({ path }) => path));
  return {
    classes,
    train,
    val,
    skipped: skipped.map((path) => relative(folder, path)).sort(),
    origin: hash.digest("hex"),
  };
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

const NAMES_SHOWN = 20;

/** Lists classes with their counts: `2 classes, training + validation images: rose 2 + 1, tulip 1 + 1`. */
export function classCounts({ classes, train, val }: ImageListing): string {
  const counted = [train, val].map((files) => Map.groupBy(files, ({ label }) => label));
  const shown = classes.slice(0, NAMES_SHOWN).map((name, label) =>
    `${name} ${counted.map((counts) => counts.get(label)?.length ?? 0).join(" + ")}`
  );
  const rest = classes.length - shown.length;
  return `${classes.length} classes, training + validation images: ${shown.join(", ")}` +
    (rest > 0 ? ` and ${rest} more` : "");
}

/** Lists what was left out: `skipped 2 entries that are no images by their names: test, val/README`; null: nothing. */
export function skippedEntries({ skipped }: ImageListing): string | null {
  if (skipped.length === 0) return null;
  const rest = skipped.length - NAMES_SHOWN;
  return `skipped ${skipped.length} ${
    skipped.length === 1 ? "entry that is no image by its name" : "entries that are no images by their names"
  }: ` +
    skipped.slice(0, NAMES_SHOWN).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}
