/** Decoded data sets in the cache: a folder of four files, checked whenever they are read. */
import { randomUUID } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { InputError, messageOf } from "../errors.ts";
import {
  type Checksums,
  type DecodedParts,
  findFault,
  type Manifest,
  type Part,
  PART_FILES,
  PARTS,
} from "./manifest.ts";

/** Age beyond which the leftovers of a killed process may be removed. */
const ABANDONED_AFTER_MILLISECONDS = 24 * 3600 * 1000;

const sha256 = z.hash("sha256");

/** Checksums of a data set that no manifest knows, as first decoded. */
const storedRecordSchema = z.strictObject({
  sha256,
  partSha256: z.strictObject(
    Object.fromEntries(PARTS.map((part) => [part, sha256])) as Record<Part, typeof sha256>,
  ),
  /** Files they were made from, where those may change. */
  origin: z.string().optional(),
});

/** Kept beside the bytes. */
export type StoredRecord = Checksums & { readonly origin?: string };

const RECORD_FILE = "recorded.json";

function remedyFor(folder: string, { name }: Pick<Manifest, "name">, error?: unknown): string {
  if (error instanceof Deno.errors.PermissionDenied) {
    return "it is another user's, so choose a folder of your own by REQUANT_CACHE or `deno task data --cache`";
  }
  return `delete the folder "${folder}" or run \`deno task data ${name} --fresh\` to fetch it again`;
}

/**
 * Reads what was recorded when a data set was first decoded.
 * @returns Null if there is no such folder.
 * @throws {InputError} If the record is missing or cannot be read.
 */
export async function readRecord(folder: string, manifest: Pick<Manifest, "name">): Promise<StoredRecord | null> {
  if (!await isThere(folder)) return null;
  const path = join(folder, RECORD_FILE);
  try {
    const parsed = storedRecordSchema.safeParse(JSON.parse(await Deno.readTextFile(path)));
    if (!parsed.success) {
      const { path: place, message } = parsed.error.issues[0]!;
      throw new Error(`${place.join(".") || "its content"} is wrong (${message})`);
    }
    return parsed.data as StoredRecord;
  } catch (error) {
    throw new InputError(`Cannot read "${path}" as ${whyUnread(error)}: ${remedyFor(folder, manifest, error)}`);
  }
}

function whyUnread(error: unknown): string {
  if (error instanceof Deno.errors.PermissionDenied) return "reading it is not permitted";
  return error instanceof Deno.errors.NotFound ? "it is missing" : messageOf(error);
}

/**
 * Reads a cached data set.
 * @returns Null if there is no such folder.
 * @throws {InputError} If a file is missing, or any byte of it is not as the manifest says.
 */
export async function readStored(folder: string, manifest: Manifest): Promise<DecodedParts | null> {
  if (!await isThere(folder)) return null;
  const parts: Record<string, Uint8Array> = {};
  for (const part of PARTS) {
    const path = join(folder, PART_FILES[part]);
    try {
      parts[part] = await Deno.readFile(path);
    } catch (error) {
      throw new InputError(`Cannot read "${path}" as ${whyUnread(error)}: ${remedyFor(folder, manifest, error)}`);
    }
  }
  const fault = findFault(parts as DecodedParts, manifest);
  if (!fault) return parts as DecodedParts;
  throw new InputError(
    `Cannot use "${join(folder, PART_FILES[fault.part])}" as ${fault.reason}: ${remedyFor(folder, manifest)}`,
  );
}

/**
 * Checks that a data set can be put there, before it is fetched, which may take minutes. Leaves nothing behind.
 * @throws {InputError} If it cannot.
 */
export async function requireWritable(folder: string): Promise<void> {
  let place = dirname(folder);
  // a link that leads nowhere is there too, and no folder
  while (!await Deno.lstat(place).then(() => true, () => false)) place = dirname(place);
  const probe = join(place, `.requant-${randomUUID()}`);
  try {
    await Deno.mkdir(probe);
    try {
      await Deno.writeTextFile(join(probe, "probe"), "a full disk makes folders and takes no byte");
    } finally {
      await Deno.remove(probe, { recursive: true });
    }
  } catch (error) {
    throw unwritable(folder, error);
  }
}

function unwritable(folder: string, error: unknown): InputError {
  const { AlreadyExists, NotADirectory, PermissionDenied } = Deno.errors;
  const why = error instanceof NotADirectory || error instanceof AlreadyExists
    ? "a file stands where a folder is needed"
    : error instanceof PermissionDenied
    ? "writing there is not permitted"
    : messageOf(error);
  return new InputError(
    `Cannot write the data set to "${folder}" as ${why}: free some space, or choose another folder by REQUANT_CACHE or ` +
      "`deno task data --cache`",
  );
}

/**
 * Puts a data set into the cache.
 *
 * All is written to a folder beside it, which is renamed last: other processes see all files or none. What is there
 * already stays, since another process was quicker, unless it is to be replaced.
 * @throws {InputError} If the system refuses, such as for a full disk; what was there is then intact.
 */
export async function writeStored(
  folder: string,
  parts: DecodedParts,
  options: { readonly replace: boolean; readonly record?: StoredRecord },
): Promise<void> {
  const unique = `${folder}.partial-${randomUUID()}`, written = `${unique}-new`, replaced = `${unique}-old`;
  try {
    await Deno.mkdir(dirname(folder), { recursive: true });
    await removeAbandoned(folder);
    await Deno.mkdir(written);
    for (const part of PARTS) await Deno.writeFile(join(written, PART_FILES[part]), parts[part]);
    if (options.record) await Deno.writeTextFile(join(written, RECORD_FILE), JSON.stringify(options.record));
    if (options.replace) await Deno.rename(folder, replaced).catch(ignoreMissing);
    await Deno.rename(written, folder).catch(async (error) => {
      if (!await isThere(folder)) throw error;
    });
  } catch (error) {
    throw unwritable(folder, error);
  } finally {
    for (const path of [written, replaced]) await Deno.remove(path, { recursive: true }).catch(() => {});
  }
}

async function isThere(path: string): Promise<boolean> {
  // A folder that may not be looked into is there.
  return await Deno.stat(path).then(() => true, (error) => error instanceof Deno.errors.PermissionDenied);
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

/** Removes what killed processes left beside `folder`. */
async function removeAbandoned(folder: string): Promise<void> {
  for await (const { name } of Deno.readDir(dirname(folder))) {
    if (!name.startsWith(`${basename(folder)}.partial-`)) continue;
    const path = join(dirname(folder), name), entry = await Deno.stat(path).catch(ignoreMissing);
    if (Date.now() - (entry?.mtime?.getTime() ?? Infinity) > ABANDONED_AFTER_MILLISECONDS) {
      await Deno.remove(path, { recursive: true }).catch(ignoreMissing);
    }
  }
}
