/** Python wheels (zip files) as carriers of shared libraries: checksum and unpacking, both streaming. */
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { Unzip, UnzipInflate } from "fflate";
import { InputError, isDiskFull, messageOf } from "../../errors.ts";

/** Bytes of a file that are read at once. */
const PIECE = 1 << 20;

/** Called with the bytes handled so far, and with all there are. */
export type Progress = (doneBytes: number, totalBytes: number) => void;

/** Calls `use` with each piece of a file. */
async function eachPiece(
  path: string,
  use: (piece: Uint8Array, last: boolean) => void,
  progress?: Progress,
): Promise<void> {
  using file = await Deno.open(path);
  const total = (await file.stat()).size, buffer = new Uint8Array(PIECE);
  for (let done = 0; done < total;) {
    const read = await file.read(buffer) ?? 0;
    if (read === 0) throw new Error(`"${path}" became shorter while it was read`);
    done += read;
    use(buffer.slice(0, read), done >= total);
    progress?.(done, total);
  }
}

/** @throws {InputError} If the file's SHA-256 is not `expected`. */
export async function requireChecksum(path: string, expected: string): Promise<void> {
  const hash = createHash("sha256");
  await eachPiece(path, (piece) => hash.update(piece));
  const actual = hash.digest("hex");
  if (actual === expected) return;
  throw new InputError(
    `Cannot install "${path}" as its SHA-256 must be ${expected}: current value is ${actual}; ` +
      "the file is damaged or another one, so download it again",
  );
}

/** Files to unpack, and their destination. */
export interface Unpacking {
  /** The path to write a member to, relative to `folder`; null leaves it packed. */
  readonly target: (name: string) => string | null;
  readonly folder: string;
  readonly progress?: Progress;
}

/**
 * Unpacks members of a wheel, each flushed to the disk, without holding one in memory.
 * @returns The paths that were written, as `target` gave them.
 * @throws {InputError} If the wheel is not a zip file, or is cut off.
 */
export async function unpackWheel(wheel: string, { target, folder, progress }: Unpacking): Promise<string[]> {
  const written: string[] = [], open = new Set<string>();
  let failure: unknown = null;
  const unzip = new Unzip((member) => {
    const path = target(member.name);
    if (path === null || member.name.endsWith("/")) return;
    const full = join(folder, path);
    if (!full.startsWith(join(folder, "/"))) {
      failure ??= new Error(`its member "${member.name}" would leave the folder`);
      return;
    }
    Deno.mkdirSync(dirname(full), { recursive: true });
    const file = Deno.openSync(full, { write: true, createNew: true });
    open.add(path);
    member.ondata = (error, data, final) => {
      failure ??= error;
      if (failure || !open.has(path)) return;
      try {
        for (let start = 0; start < data.length;) start += file.writeSync(data.subarray(start));
        if (!final) return;
        file.syncDataSync();
        written.push(path);
      } catch (error) {
        failure = error;
      }
      open.delete(path);
      file.close();
    };
    member.start();
  });
  unzip.register(UnzipInflate);
  const first = await firstBytes(wheel, 2);
  try {
    if (first !== "PK") throw new Error("it is not a zip file");
    await eachPiece(wheel, (piece, last) => {
      unzip.push(piece, last);
      if (failure) throw failure;
    }, progress);
    if (open.size) throw new Error(`it ends within ${[...open].join(" and ")}`);
  } catch (error) {
    if (isDiskFull(error)) throw error;
    throw new InputError(`Cannot unpack "${wheel}": ${messageOf(error)}; download it again`);
  }
  return written;
}

async function firstBytes(path: string, count: number): Promise<string> {
  using file = await Deno.open(path);
  const buffer = new Uint8Array(count);
  await file.read(buffer);
  return String.fromCharCode(...buffer);
}
