import { dirname } from "node:path";
import { InputError, messageOf } from "../errors.ts";

/** One sentence for a write that the system refused. */
export function writeError(error: unknown, path: string): InputError {
  const code = (error as { code?: string } | null)?.code ?? "";
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new InputError(
      `Cannot write ${path} as the disk is full: free some space and run the same command again, ` +
        `or choose another folder with --out`,
    );
  }
  const why = ["EACCES", "EPERM", "EROFS"].includes(code)
    ? "writing there is not permitted"
    : ["ENOTDIR", "EEXIST", "EISDIR"].includes(code)
    ? "a file stands where a folder is needed, or a folder where a file is needed"
    : messageOf(error);
  return new InputError(`Cannot write ${path} as ${why}: choose another folder with --out`);
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

/**
 * Writes a whole file: to a temporary name beside it, flushed to the disk, then renamed, so that a reader sees the old
 * bytes or the new ones and never a part.
 * @throws {InputError} If the system refuses; an old file of that name is then intact.
 */
export function writeFileAtomic(path: string, content: string | Uint8Array): void {
  const temporary = `${path}.${Deno.pid}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    Deno.mkdirSync(dirname(path), { recursive: true });
    const file = Deno.openSync(temporary, { write: true, create: true, truncate: true });
    try {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      for (let written = 0; written < bytes.length;) written += file.writeSync(bytes.subarray(written));
      file.syncSync();
    } finally {
      file.close();
    }
    Deno.renameSync(temporary, path);
  } catch (error) {
    removeIfThere(temporary);
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

/** The text of a file, or null where there is none. */
export function readTextIfThere(path: string): string | null {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return null;
    throw new InputError(`Cannot read ${path} as ${messageOf(error)}: make it readable, or choose another folder`);
  }
}

/** The bytes of a file, or null where there is none. */
export function readBytesIfThere(path: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return null;
    throw new InputError(`Cannot read ${path} as ${messageOf(error)}: make it readable, or choose another folder`);
  }
}

/** Whether there is a file of that name. */
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
