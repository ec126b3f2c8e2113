/** NVIDIA's libraries beside a libtensorflow: their versions, and if they are found. */
import { basename, dirname, join } from "node:path";
import { cudaFolder, LIBRARY_FILES } from "./locate.ts";

/** Result of `checkCuda`; plain JSON. */
export interface CudaCheck {
  /** Versions by project, such as `cublas`; without those that are not known. */
  readonly versions: Readonly<Record<string, string>>;
  /** Number of libraries that were checked. */
  readonly libraries: number;
  /** Missing files and libraries, one sentence each. */
  readonly problems: readonly string[];
}

/** Libraries that libtensorflow opens itself, as its own loader names them. */
const OPENED = ["CudaRuntime", "Cublas", "CublasLt", "Cufft", "Cusolver", "Cusparse", "Cudnn", "Cupti", "Nccl"];

/** Programs and data that XLA reads. */
const XLA_FILES = ["cuda_nvcc/bin/ptxas", "cuda_nvcc/nvvm/libdevice/libdevice.10.bc"] as const;

/** The driver's own library, which only a machine with a GPU has. */
const DRIVER = "libcuda.so.1";

/**
 * Opens cuSOLVER, which libtensorflow 2.21 does not find by itself: its loader is in libtensorflow_framework, whose RUNPATH
 * lacks that one folder, and without it no GPU is registered. What is open already is found by its name.
 * @param folder From `cudaFolder`.
 */
export function openCusolver(folder: string): void {
  try {
    Deno.dlopen(join(folder, "cusolver", "lib", "libcusolver.so.11"), {}); // stays open
  } catch {
    // the system may have it elsewhere; else runs compute on the CPU, and the doctor says why
  }
}

/**
 * Checks what a machine without a GPU can: the system's loader finds all that each library needs, libtensorflow's own
 * loader opens each that it wants, and XLA's files are there.
 * @returns Null where the libtensorflow has no CUDA.
 */
export async function checkCuda(library: string): Promise<CudaCheck | null> {
  const folder = cudaFolder(library);
  if (folder === null) return null;
  const libraries = filesBelow(folder).filter((path) => /\/lib\/[^/]+\.so(\.\d+)*$/.test(path));
  const problems = (await Promise.all(libraries.map(missingIn))).flat();
  for (const name of XLA_FILES) if (!isFile(join(folder, name))) problems.push(`${name} is missing, which XLA needs`);
  return {
    versions: versionsBeside(folder),
    libraries: libraries.length,
    problems: [...problems, ...notOpened(library)],
  };
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function filesBelow(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesBelow(join(folder, name)) : [join(folder, name)]
  ).sort();
}

/** Versions from the names of the wheels' own folders, `nvidia_cublas_cu12-12.9.1.4.dist-info`. */
function versionsBeside(folder: string): Record<string, string> {
  const names = [...Deno.readDirSync(dirname(folder))].map(({ name }) => name).sort();
  const found = names.flatMap((name) => /^nvidia_(\w+)_cu12-([\d.]+)\.dist-info$/.exec(name)?.slice(1) ?? []);
  return Object.fromEntries(found.flatMap((name, i) => i % 2 === 0 ? [[name, found[i + 1]!]] : []));
}

/** Asks the system's loader, by ldd, what it does not find for a library; the driver's own library may be missing. */
async function missingIn(library: string): Promise<string[]> {
  const { stdout } = await new Deno.Command("ldd", { args: [library], stderr: "null" }).output();
  const missing = [...new TextDecoder().decode(stdout).matchAll(/^\s*(\S+) => not found$/gm)].map((match) => match[1]!);
  return missing.filter((name) => name !== DRIVER).map((name) =>
    `${basename(library)} needs ${name}, which is missing`
  );
}

/** Lets libtensorflow open its libraries, which stay open: `StatusOr<void*> tsl::internal::DsoLoader::Get...DsoHandle()`. */
function notOpened(library: string): string[] {
  const symbolOf = (name: string) => `_ZN3tsl8internal9DsoLoader${name.length + 12}Get${name}DsoHandleEv`;
  const signature = { parameters: ["buffer"], result: "void", optional: true } as const;
  openCusolver(cudaFolder(library)!);
  const framework = join(dirname(library), LIBRARY_FILES[1]);
  const { symbols } = Deno.dlopen(framework, Object.fromEntries(OPENED.map((name) => [symbolOf(name), signature])));
  return OPENED.flatMap((name) => {
    const result = new BigUint64Array(2); // a status, and the handle where it is good
    symbols[symbolOf(name)]?.(result);
    return result[1] === 0n ? [`libtensorflow finds no ${name}`] : [];
  });
}
