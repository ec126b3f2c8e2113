/** Files: written as wholes, listed and read in one place each. Links below an output folder are refused. */
import { dirname, join } from "node:path";
import { InputError, isDiskFull, messageOf } from "../errors.ts";

/** Makes one sentence of a write that the system refused. */
export function writeError(error: unknown, path: string): InputError {
  if (isDiskFull(error)) {
    return new InputError(
      `Cannot write ${path} as the disk is full: free some space and run the same command again, ` +
        "or choose another place",
    );
  }
  const code = (error as { code?: string } | null)?.code ?? "";
  const why = ["EACCES", "EPERM", "EROFS"].includes(code)
    ? "writing there is not permitted"
    : ["ENOTDIR", "EEXIST", "EISDIR"].includes(code)
    ? "a file stands where a folder is needed, or a folder where a file is needed"
    : code === "ENOENT"
    ? "a folder above it is not there and cannot be made"
    : messageOf(error);
  return new InputError(`Cannot write ${path} as ${why}: choose another place`);
}

function isAbsent(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
}

function readError(error: unknown, path: string): InputError {
  if ((error as { code?: string } | null)?.code === "EISDIR") {
    return new InputError(`Cannot read ${path} as it is a folder: name a file in it`);
  }
  return new InputError(`Cannot read ${path} as ${messageOf(error)}: make it readable, or choose another folder`);
}

/**
 * Joins a path below a folder and checks that each part is a file, a folder or absent: a link would lead out of the
 * folder, and a pipe would never end.
 * @throws {InputError} If a part is a link or no regular file.
 */
export function pathBelow(folder: string, ...names: readonly string[]): string {
  let path = folder;
  for (const name of names) {
    path = join(path, name);
    requireRegular(path);
  }
  return path;
}

/** Checks that everything below a folder is a file or a folder. @throws {InputError} If something is not. */
export function requireNoLinks(folder: string): void {
  for (const { name, isDirectory } of entriesOf(folder)) {
    requireRegular(join(folder, name));
    if (isDirectory) requireNoLinks(join(folder, name));
  }
}

function requireRegular(path: string): void {
  let entry: Deno.FileInfo;
  try {
    entry = Deno.lstatSync(path);
  } catch {
    return; // Absent: to be made.
  }
  if (entry.isFile || entry.isDirectory) return;
  const kind = entry.isSymlink ? "a link" : "no regular file";
  throw new InputError(`Cannot use ${path} as it is ${kind}, and only files and folders may be there: delete it`);
}

/**
 * Makes a folder and those above it.
 * @throws {InputError} If the system refuses.
 */
export function makeFolder(path: string): void {
  try {
    Deno.mkdirSync(path, { recursive: true });
  } catch (error) {
    throw writeError(error, path);
  }
}

/** Options of `writeFileAtomic`. */
export interface AtomicOptions {
  /** Called when the new bytes are safe: if it throws, the old file stays. */
  readonly beforeRename?: (() => void) | undefined;
  /** Makes the error of a write that the system refused. @default writeError */
  readonly refusal?: (error: unknown, path: string) => InputError;
}

/**
 * Writes a whole file: to a temporary name beside it, flushed to the disk, then renamed, so that a reader sees the old
 * bytes or the new ones and never a part.
 * @param content Text, or bytes in parts.
 * @throws {InputError} If the system refuses; an old file of that name is then intact.
 */
export function writeFileAtomic(
  path: string,
  content: string | readonly Uint8Array[],
  { beforeRename, refusal = writeError }: AtomicOptions = {},
): void {
  // Two processes may write the same file for a moment: each has a name of its own.
  const temporary = `${path}.${Deno.pid}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    Deno.mkdirSync(dirname(path), { recursive: true });
    const file = Deno.openSync(temporary, { write: true, createNew: true });
    try {
      for (const bytes of typeof content === "string" ? [new TextEncoder().encode(content)] : content) {
        for (let written = 0; written < bytes.length;) written += file.writeSync(bytes.subarray(written));
      }
      file.syncSync();
    } finally {
      file.close();
    }
    beforeRename?.();
    Deno.renameSync(temporary, path);
    flushFolder(dirname(path));
  } catch (error) {
    removeIfThere(temporary);
    // Only errors of the system have a code.
    throw typeof (error as { code?: unknown }).code === "string" ? refusal(error, path) : error;
  }
}

/** Flushes the names of a folder, so that a power cut does not undo a rename; some systems flush no folders. */
function flushFolder(path: string): void {
  if (Deno.build.os === "windows") return;
  const folder = Deno.openSync(path);
  try {
    folder.syncSync();
  } finally {
    folder.close();
  }
}

/** Makes a file, unless there is one. @returns False: there is one. @throws {InputError} If the system refuses. */
export function createExclusive(path: string, text: string): boolean {
  try {
    Deno.writeTextFileSync(path, text, { createNew: true });
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw writeError(error, path);
  }
}

/**
 * Adds one line to a file.
 * @throws {InputError} If the system refuses.
 */
export function appendLine(path: string, line: string): void {
  try {
    Deno.writeTextFileSync(path, line + "\n", { append: true });
  } catch (error) {
    throw writeError(error, path);
  }
}

/** Reads a text without its byte order mark; null: there is no such file. @throws {InputError} If the system refuses. */
export function readTextIfThere(path: string): string | null {
  const bytes = readBytesIfThere(path);
  return bytes === null ? null : new TextDecoder().decode(bytes);
}

/** Reads a file; null: there is none. @throws {InputError} If the system refuses. */
export function readBytesIfThere(path: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    if (isAbsent(error)) return null;
    throw readError(error, path);
  }
}

/**
 * Reads a JSON document; null: there is no such file.
 * @param fault Said after "Cannot read ..." where the text is no JSON.
 * @throws {InputError} If it is no JSON, or the system refuses.
 */
export function readJsonIfThere(path: string, fault: string): unknown {
  const text = readTextIfThere(path);
  if (text === null) return null;
  try {
    return JSON.parse(text);
  } catch {
    throw new InputError(fault);
  }
}

function entriesOf(folder: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(folder)];
  } catch (error) {
    if (isAbsent(error)) return [];
    throw readError(error, folder);
  }
}

/** Lists the names in a folder, in order; none where there is no such folder. @throws {InputError} If it is unreadable. */
export function namesIn(folder: string): string[] {
  return entriesOf(folder).map(({ name }) => name).sort();
}

/** Tells whether there is a folder of that name. */
export function folderExists(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

/** Tells if there is a file of that name. */
export function fileExists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Deletes a file; does nothing where there is none or where it cannot be deleted. */
export function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // Absent, or in a folder that refuses writes: what was being written has its own error by then.
  }
}
