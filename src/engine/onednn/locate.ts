/** Finds oneDNN's library on this machine; opens nothing. */
import { join } from "node:path";
import { cpuInfo } from "../cpu_info.ts";
import { cacheFolder } from "../../data/cache.ts";
import { InputError } from "../../errors.ts";
import { isFile } from "../locate.ts";

/** The version of the wheel `onednn-cpu-gomp`, which has oneDNN 3.2. */
export const WHEEL_VERSION = "2023.2.0";

export const LIBRARY_FILE = "libdnnl.so.3";

/** A library of oneDNN 3. */
export interface OneDnnLibrary {
  readonly library: string;
  /** Where it comes from, for people. */
  readonly source: string;
}

/** Where `deno task engine install` puts it. */
export function installFolder(): string {
  return join(cacheFolder("onednn"), WHEEL_VERSION);
}

export function installedLibrary(): string {
  return join(installFolder(), LIBRARY_FILE);
}

/** Checks whether the engine can be used on this kind of machine. */
export function isSupported({ os, arch }: { os: string; arch: string } = Deno.build): boolean {
  return os === "linux" && arch === "x86_64";
}

/** Checks whether the first processor that Linux lists has AVX2; true where it lists none. */
export function processorServes(list = cpuInfo()): boolean {
  const flags = list.match(/^flags\s*:(.*)$/m)?.[1];
  return flags === undefined || flags.split(" ").includes("avx2");
}

/**
 * The library to use: `REQUANT_ONEDNN`, else the one installed by `deno task engine install`; null if there is none.
 * @throws {InputError} If `REQUANT_ONEDNN` names no library.
 */
export async function locateOneDnn(): Promise<OneDnnLibrary | null> {
  const named = Deno.env.get("REQUANT_ONEDNN");
  if (named) {
    for (const library of [named, join(named, LIBRARY_FILE)]) {
      if (await isFile(library)) return { library, source: "REQUANT_ONEDNN" };
    }
    throw new InputError(
      `Cannot use REQUANT_ONEDNN as it must name ${LIBRARY_FILE} or its folder: current value is "${named}", where there ` +
        "is none; correct it, or unset it and run `deno task engine install`",
    );
  }
  if (!isSupported() || !await isFile(installedLibrary())) return null;
  return { library: installedLibrary(), source: "installed" };
}
