/** Finds libtensorflow on this machine; opens nothing. */
import { dirname, join } from "node:path";
import { cacheFolder } from "../data/cache.ts";
import { InputError } from "../errors.ts";

/** The version that the engine is written for; any patch of its minor version serves. */
export const LIBTENSORFLOW_VERSION = "2.21.0";

const MINOR = LIBTENSORFLOW_VERSION.replace(/\.\d+$/, "");

/** The files that make libtensorflow, the one to open first. */
export const LIBRARY_FILES: readonly [string, string] = Deno.build.os === "darwin"
  ? ["libtensorflow_cc.2.dylib", "libtensorflow_framework.2.dylib"]
  : ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"];

/** A libtensorflow of the right version. */
export interface Libtensorflow {
  /** Path of the shared library. */
  readonly library: string;
  /** Where it comes from, for people. */
  readonly source: string;
}

/** Options of a search. */
export interface SearchOptions {
  /**
   * Seconds that Python may take to say where its TensorFlow is.
   * @default 5
   */
  readonly pythonSeconds?: number;
}

/** Result of a search. */
export interface Search {
  readonly found: Libtensorflow | null;
  /** Why each library that was met on the way is not taken, a sentence each. */
  readonly passedOver: readonly string[];
}

/** Where `deno task engine install` puts a library: the folder of one version for one kind of device. */
export function installFolder(device: "cpu" | "gpu"): string {
  return join(cacheFolder("libtensorflow"), `${LIBTENSORFLOW_VERSION}-${device}`);
}

/** The library's path within `installFolder(device)`: with CUDA it looks for its companions in `../nvidia`. */
export function installedLibrary(device: "cpu" | "gpu"): string {
  const folder = installFolder(device);
  return device === "gpu" ? join(folder, "tensorflow", LIBRARY_FILES[0]) : join(folder, LIBRARY_FILES[0]);
}

/**
 * The libtensorflow to use: `REQUANT_LIBTENSORFLOW`, else an importable Python's, else the one installed by
 * `deno task engine install` (for a GPU before that for the CPU); null if there is none of version 2.21. With
 * the reasons why what it met is not taken.
 * @throws {InputError} If `REQUANT_LIBTENSORFLOW` names no library, or one of another version.
 */
export async function searchLibtensorflow({ pythonSeconds = 5 }: SearchOptions = {}): Promise<Search> {
  const named = Deno.env.get("REQUANT_LIBTENSORFLOW");
  if (named) return { found: { library: await resolveNamed(named), source: "REQUANT_LIBTENSORFLOW" }, passedOver: [] };
  const passedOver: string[] = [], python = await askPython(pythonSeconds);
  if (python) {
    const library = join(python.folder, LIBRARY_FILES[0]);
    if (!isSupported(python.version)) {
      passedOver.push(
        `Python's TensorFlow in "${python.folder}" is not used as it must be ${MINOR}: ` +
          `its version is ${python.version ?? "unknown"}`,
      );
    } else if (await isFile(library)) {
      return { found: { library, source: `Python's tensorflow ${python.version}` }, passedOver };
    } else {
      passedOver.push(`Python's TensorFlow in "${python.folder}" is not used as it has no ${LIBRARY_FILES[0]}`);
    }
  }
  for (const device of ["gpu", "cpu"] as const) {
    const library = installedLibrary(device);
    if (await isFile(library)) {
      return { found: { library, source: `installed for ${device.toUpperCase()}` }, passedOver };
    }
  }
  return { found: null, passedOver };
}

/** Folder of NVIDIA's libraries that belong to a libtensorflow, as wheels have it; null if it has none. */
export function cudaFolder(library: string): string | null {
  const folder = join(dirname(library), "..", "nvidia");
  try {
    return Deno.statSync(join(folder, "cuda_runtime")).isDirectory ? folder : null;
  } catch {
    return null;
  }
}

/** Checks whether runs will compute on a GPU: the library has CUDA and NVIDIA's driver is loaded. Opens nothing. */
export async function gpuExpected(): Promise<boolean> {
  if (!await isFile("/proc/driver/nvidia/version")) return false;
  const { found } = await searchLibtensorflow();
  return found !== null && cudaFolder(found.library) !== null;
}

function isSupported(version: string | null): boolean {
  return version !== null && version.startsWith(`${MINOR}.`);
}

/** Checks whether a regular file is there. */
export async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}

/** The library that the user named: a file, or a folder that has one. */
async function resolveNamed(named: string): Promise<string> {
  const places = [named, join(named, LIBRARY_FILES[0]), join(named, "tensorflow", LIBRARY_FILES[0])];
  for (const library of places) {
    if (!await isFile(library)) continue;
    const version = library.match(/\.(\d+\.\d+\.\d+)(?:\.dylib)?$/)?.[1];
    if (version === undefined || isSupported(version)) return library;
    throw new InputError(
      `Cannot use REQUANT_LIBTENSORFLOW as it must be of version ${MINOR}: current value is "${named}", ` +
        `of version ${version}; unset it and run \`deno task engine install\``,
    );
  }
  throw new InputError(
    `Cannot use REQUANT_LIBTENSORFLOW as it must name ${
      LIBRARY_FILES[0]
    } or its folder: current value is "${named}", ` +
      "where there is none; correct it, or unset it and run `deno task engine install`",
  );
}

/** Script that prints what a Python knows of its TensorFlow without importing it: JSON [folder, version], or null. */
const QUESTION = `
import importlib.util, importlib.metadata, json
spec = importlib.util.find_spec("tensorflow")
folders = list(spec.submodule_search_locations or []) if spec else []
version = None
for name in ("tensorflow", "tensorflow-cpu", "tensorflow-cpu-aws", "tensorflow-macos", "tensorflow-rocm"):
    try:
        version = version or importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps([folders[0], version] if folders else None))
`;

/** Where Python's TensorFlow is; null if there is no Python, no TensorFlow, or no answer in time. */
async function askPython(seconds: number): Promise<{ folder: string; version: string | null } | null> {
  try {
    // from the root, as a folder named tensorflow in the current one would count as the module
    const python = new Deno.Command("python3", {
      args: ["-c", QUESTION],
      cwd: "/",
      stdin: "null",
      stdout: "piped",
      stderr: "null",
      signal: AbortSignal.timeout(1000 * seconds),
    });
    const { success, stdout } = await python.output();
    const answer = success ? JSON.parse(new TextDecoder().decode(stdout)) as [string, string | null] | null : null;
    return answer && { folder: answer[0], version: answer[1] };
  } catch {
    return null;
  }
}
