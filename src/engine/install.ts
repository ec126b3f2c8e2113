/** Brings libtensorflow into the cache: `deno task engine install`. */
import { statfs } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { InputError, isDiskFull } from "../errors.ts";
import { CUDA_REQUIREMENTS, SIZES, wheelFor } from "./install/manifest.ts";
import { downloadKept, wheelsIn } from "./install/kept_wheels.ts";
import { downloadWheels } from "./install/pip.ts";
import { requireChecksum, unpackWheel } from "./install/wheel.ts";
import { installedLibrary, installFolder, isFile, LIBRARY_FILES, LIBTENSORFLOW_VERSION } from "./locate.ts";

/** Where an installation stands. */
export interface InstallProgress {
  readonly stage: "download" | "check" | "unpack";
  readonly doneBytes: number;
  /** Unknown while a small wheel is downloaded. */
  readonly totalBytes?: number;
}

/** Options of an installation. */
export interface InstallOptions {
  /** With CUDA (Linux on x86-64): some gigabytes. */
  readonly gpu?: boolean;
  /** A wheel of tensorflow that is there already, instead of a download. */
  readonly wheel?: string;
  /**
   * The wheel's SHA-256.
   * @default The one in the manifest
   */
  readonly sha256?: string;
  readonly progress?: (progress: InstallProgress) => void;
  /** Gets a line for people: what a download takes, before it begins, and what is kept of one that broke. */
  readonly say?: (line: string) => void;
  /** Reads the free bytes of a folder's disk. @default what the system says */
  readonly freeBytes?: (folder: string) => Promise<number>;
}

/** An installed library. */
export interface Installed {
  readonly library: string;
  /** False if it was there before. */
  readonly fresh: boolean;
}

/**
 * Downloads the wheel, checks it, and unpacks the libraries into the cache.
 *
 * All is made in a folder of its own and renamed last: a killed installation leaves nothing that could be used, and the
 * next one removes what it left.
 * @throws {InputError} If there is no wheel for this machine, no pip, a wrong checksum, or no room.
 */
export async function installLibtensorflow(options: InstallOptions = {}): Promise<Installed> {
  const device = options.gpu ? "gpu" : "cpu", sha256 = options.sha256 ?? wheelFor(device).sha256;
  const place = {
    folder: installFolder(device),
    library: installedLibrary(device),
    room: `${SIZES[device].roomGB} GB`,
  };
  // a bad one is refused where a library is there already, too
  if (options.wheel !== undefined) await requireWheel(options.wheel, { ...options, sha256 });
  try {
    const installed = await installInto(place, (into, work) => prepare(into, work, { ...options, sha256, device }));
    await Deno.remove(keptFolder(), { recursive: true }).catch(() => {});
    return installed;
  } catch (error) {
    const kept = wheelsIn(keptFolder(), CUDA_REQUIREMENTS).size;
    if (options.gpu && kept > 0) options.say?.(`Wheels are kept in ${keptFolder()}: the same command continues`);
    throw error;
  }
}

/** Place of an installation. */
export interface InstallPlace {
  readonly folder: string;
  /** A file of the folder: with it the installation is complete. */
  readonly library: string;
  /** Disk that it takes, for people. */
  readonly room: string;
}

/** Lets `fill` make the folder aside, and renames it into place. */
export async function installInto(
  { folder, library, room }: InstallPlace,
  fill: (into: string, work: string) => Promise<void>,
): Promise<Installed> {
  if (await exists(library)) return { library, fresh: false };
  const work = join(dirname(folder), `.installing-${hostname()}-${process.pid}`);
  try {
    await removeAbandoned(dirname(folder));
    await Deno.mkdir(work, { recursive: true });
    await fill(join(work, "new"), work);
    await moveInto(folder, join(work, "new"), library);
  } catch (error) {
    if (await exists(library)) return { library, fresh: false }; // another installation was quicker
    throw explained(error, { folder, room });
  } finally {
    await Deno.remove(work, { recursive: true }).catch(() => {});
  }
  return { library, fresh: true };
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** @throws {InputError} If it is no file, or has another checksum. */
export async function requireWheel(
  wheel: string,
  { progress, sha256 }: { progress?: InstallOptions["progress"] | undefined; sha256: string },
): Promise<void> {
  if (!await isFile(wheel)) {
    throw new InputError(`Cannot install from a wheel as it must exist: current value is "${wheel}"`);
  }
  progress?.({ stage: "check", doneBytes: 0 });
  await requireChecksum(wheel, sha256);
}

/** Folder of the wheels of an installation for a GPU, until it is done. */
function keptFolder(): string {
  return join(dirname(installFolder("gpu")), `.wheels-${basename(installFolder("gpu"))}`);
}

/** Fills the folder `into`, which is then complete. */
async function prepare(
  into: string,
  work: string,
  options: InstallOptions & { readonly sha256: string; readonly device: "cpu" | "gpu" },
): Promise<void> {
  const { device, sha256, progress } = options, { project, platforms } = wheelFor(device), kept = keptFolder();
  const requirements = [
    ...(options.wheel === undefined ? [`${project}==${LIBTENSORFLOW_VERSION}`] : []),
    ...(device === "gpu" ? CUDA_REQUIREMENTS : []),
  ];
  const here = device === "gpu" ? wheelsIn(kept, requirements) : new Map<string, string>();
  if (requirements.length > 0) await announce(requirements.length, { ...options, here: [...here.values()] });
  const totalBytes = device === "gpu" ? { totalBytes: 1e9 * SIZES.gpu.downloadGB } : {};
  const download = {
    ...{ requirements, platforms, folder: join(work, "wheels"), scratch: join(work, "pip") },
    progress: (doneBytes: number) => progress?.({ stage: "download", doneBytes, ...totalBytes }),
  };
  const downloaded = device === "gpu"
    ? await downloadKept({ ...download, kept })
    : requirements.length > 0
    ? await downloadWheels(download)
    : [];
  async function unpack(wheel: string, target: (name: string) => string | null): Promise<string[]> {
    const report = (doneBytes: number, totalBytes: number) => progress?.({ stage: "unpack", doneBytes, totalBytes });
    return await unpackWheel(wheel, { folder: into, target, progress: report });
  }
  const [own = options.wheel!, ...cuda] = options.wheel === undefined ? downloaded : [options.wheel, ...downloaded];
  await orRemoved(own, options.wheel !== own, async () => {
    if (options.wheel === undefined) await requireWheel(own, { progress, sha256 });
    const unpacked = await unpack(own, (name) => {
      if (dirname(name) !== "tensorflow" || !LIBRARY_FILES.includes(basename(name))) return null;
      return device === "gpu" ? name : basename(name);
    });
    if (unpacked.length === LIBRARY_FILES.length) return;
    throw new InputError(
      `Cannot install from "${own}" as it must hold ${LIBRARY_FILES.join(" and ")}: ` +
        `it holds ${unpacked.join(" and ") || "neither"}`,
    );
  });
  for (const wheel of cuda) await orRemoved(wheel, true, () => addCuda(wheel, { into, unpack }));
}

/** Infinity where the system does not tell. */
async function bytesFree(folder: string): Promise<number> {
  return await statfs(folder).then(({ bavail, bsize }) => bavail * bsize, () => Infinity);
}

/** Says what an installation takes before anything is downloaded. @throws {InputError} If the disk has too little room. */
async function announce(
  count: number,
  { device, here, say, freeBytes = bytesFree }: Pick<InstallOptions, "say" | "freeBytes"> & {
    device: "cpu" | "gpu";
    here: readonly string[];
  },
): Promise<void> {
  const { downloadGB, diskGB, roomGB } = SIZES[device], folder = dirname(installFolder(device));
  const sizes = await Promise.all(here.map(async (wheel) => (await Deno.stat(wheel)).size / 1e9));
  const hereGB = sizes.reduce((sum, size) => sum + size, 0);
  const wheels = `${count} ${count === 1 ? "wheel" : "wheels"}${
    here.length === 0 ? "" : `, ${here.length} of them here`
  }`;
  const left = Math.max(0, downloadGB - hereGB).toFixed(1);
  say?.(`Downloading ${left} GB by pip (${wheels}): ${diskGB} GB on disk in the end, ${roomGB} GB meanwhile`);
  const freeGB = await freeBytes(folder) / 1e9;
  if (freeGB >= roomGB - hereGB) return;
  throw new InputError(
    `Cannot install into "${folder}" as it takes ${(roomGB - hereGB).toFixed(1)} GB and ${
      freeGB.toFixed(1)
    } GB are free: ` +
      "free some, or set REQUANT_CACHE to a folder on another disk",
  );
}

/** Removes a wheel that is kept if it proves to be bad: it would be so the next time too. */
async function orRemoved(wheel: string, isOurs: boolean, use: () => Promise<void>): Promise<void> {
  try {
    await use();
  } catch (error) {
    if (isOurs && error instanceof InputError) await Deno.remove(wheel).catch(() => {});
    throw error;
  }
}

/** The libraries and tools of a wheel of NVIDIA's, beside the folder of libtensorflow, without headers and Python. */
async function addCuda(
  wheel: string,
  { into, unpack }: {
    into: string;
    unpack: (wheel: string, target: (name: string) => string | null) => Promise<string[]>;
  },
): Promise<void> {
  // each of the wheels has a nvidia/__init__.py of its own
  const left = (name: string) => name.includes("/include/") || name.endsWith(".py");
  // the name of the folder of METADATA has the version
  const wanted = (name: string) =>
    (name.startsWith("nvidia/") && !left(name)) || name.endsWith(".dist-info/METADATA") ? name : null;
  for (const path of await unpack(wheel, wanted)) {
    if (path.includes("/bin/")) await Deno.chmod(join(into, path), 0o755);
  }
}

/** Renames the finished folder into place, unless another installation was quicker; a damaged one makes room. */
async function moveInto(final: string, from: string, library: string): Promise<void> {
  for (let attempt = 1;; attempt++) {
    try {
      return await Deno.rename(from, final);
    } catch (error) {
      if (await exists(library)) return;
      // what bars the way has lost its library; a folder that was aside by then leaves the way free
      if (attempt === 3 || !await exists(final)) throw error;
      await Deno.rename(final, `${from}-damaged-${attempt}`).catch(() => {});
    }
  }
}

/** Removes what installations of this machine left that are no longer running. */
async function removeAbandoned(folder: string): Promise<void> {
  if (!await exists(folder)) return;
  const prefix = `.installing-${hostname()}-`;
  for await (const { name } of Deno.readDir(folder)) {
    const pid = name.startsWith(prefix) ? name.slice(prefix.length) : "";
    // "node-2-4242" is of host "node-2", not of "node"
    if (!/^\d+$/.test(pid) || isRunning(Number(pid))) continue;
    await Deno.remove(join(folder, name), { recursive: true });
  }
}

function isRunning(pid: number): boolean {
  if (pid === process.pid) return false; // an earlier process that had the same number, as happens in containers
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as { code?: string }).code === "EPERM";
  }
}

/** The error in words that help; others pass as they are. */
function explained(error: unknown, { folder, room }: { folder: string; room: string }): unknown {
  if (error instanceof InputError) return error;
  const elsewhere = "or set REQUANT_CACHE to a folder on another disk";
  if (isDiskFull(error)) {
    return new InputError(`Cannot install into "${folder}" as the disk is full: free about ${room}, ${elsewhere}`);
  }
  const denied = Deno.errors.PermissionDenied, odd = Deno.errors.NotADirectory;
  if (error instanceof denied || error instanceof odd || error instanceof Deno.errors.AlreadyExists) {
    return new InputError(`Cannot install into "${folder}" as it cannot be written: make it writable, ${elsewhere}`);
  }
  return error;
}
