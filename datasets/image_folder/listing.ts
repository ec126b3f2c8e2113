/** What lies in an image folder: train/CLASS/* and val/CLASS/*. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { DatasetSizes } from "../../src/data/types.ts";
import { InputError, messageOf } from "../../src/errors.ts";

const ENDING = /\.(jpe?g|png)$/i;

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
  /** Changes when a file comes, goes, or changes its name, size or time. */
  readonly origin: string;
}

/** Names of the entries of a folder, sorted by code unit; hidden ones are left out. */
async function entries(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(folder)) if (!name.startsWith(".")) names.push(name);
  return names.sort();
}

/** Such as `leads nowhere`: of a file that was listed and cannot be looked at. */
function whyUnread(error: unknown): string {
  return error instanceof Deno.errors.NotFound
    ? "is a link to a file that is not there"
    : `cannot be read (${messageOf(error)})`;
}

async function isFolder(path: string): Promise<boolean> {
  return await Deno.stat(path).then(({ isDirectory }) => isDirectory, () => false);
}

/**
 * Counts the images of a folder by their names alone, so that a plan knows them before anything is read.
 * @returns Null if the folder cannot be listed: loading it says why.
 */
export function countImages(folder: string): DatasetSizes | null {
  const count = (split: string) =>
    [...Deno.readDirSync(join(folder, split))].filter(({ name, isFile }) => !isFile && !name.startsWith("."))
      .reduce((sum, { name }) => sum + imageNames(join(folder, split, name)).length, 0);
  try {
    return { train: count("train"), test: count("val") };
  } catch {
    return null;
  }
}

function imageNames(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) =>
    !name.startsWith(".") && ENDING.test(name)
  );
}

/**
 * Lists a folder.
 *
 * The images of a split take turns: the first file of every class, then the second of every class that has one, and so on, so
 * that the first images of a split are of all classes.
 *
 * @param name Of the data set, for messages.
 * @throws {InputError} If a folder is missing, a class is empty, or train and val have other classes.
 */
export async function listImages(folder: string, name: string): Promise<ImageListing> {
  const fault = (reason: string) => new InputError(`Cannot use data set "${name}" as ${reason}`);
  const classesOf = async (split: string) => {
    const path = join(folder, split), names: string[] = [];
    if (!await isFolder(path)) {
      throw fault(`"${path}" is no folder: put images into train/CLASS and val/CLASS of "${folder}"`);
    }
    for (const entry of await entries(path)) if (await isFolder(join(path, entry))) names.push(entry);
    return names;
  };
  const classes = await classesOf("train"), valClasses = await classesOf("val");
  if (classes.length < 2 || classes.length > 65_536) {
    throw fault(
      `"${join(folder, "train")}" has ${classes.length} folders: put one there for each of 2 to 65536 classes`,
    );
  }
  const odd = valClasses.find((entry) => !classes.includes(entry)) ??
    classes.find((entry) => !valClasses.includes(entry));
  if (odd !== undefined) {
    const [there, absent] = valClasses.includes(odd) ? ["val", "train"] : ["train", "val"];
    throw fault(`class "${odd}" is in ${there} and not in ${absent}: give both the same folders`);
  }
  const hash = createHash("sha256");
  const filesOf = async (split: string) => {
    const ranked: (ImageFile & { rank: number })[] = [];
    for (const [label, entry] of classes.entries()) {
      const inside = join(folder, split, entry), files = (await entries(inside)).filter((file) => ENDING.test(file));
      if (files.length === 0) throw fault(`"${inside}" has no .jpg, .jpeg or .png file: put images there`);
      for (const [rank, file] of files.entries()) {
        const path = join(inside, file);
        const { size, mtime } = await Deno.stat(path).catch((error) => {
          throw fault(`"${path}" ${whyUnread(error)}: replace the file or take it away`);
        });
        hash.update(JSON.stringify([split, entry, file, size, mtime?.getTime() ?? null]));
        ranked.push({ path, label, rank });
      }
    }
    return ranked.sort((a, b) => a.rank - b.rank || a.label - b.label).map(({ path, label }) => ({ path, label }));
  };
  const train = await filesOf("train"), val = await filesOf("val");
  return { classes, train, val, origin: hash.digest("hex") };
}
