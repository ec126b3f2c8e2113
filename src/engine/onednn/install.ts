/** Brings oneDNN's library into the cache. */
import { basename, join } from "node:path";
import { InputError } from "../../errors.ts";
import { type Installed, installInto, type InstallOptions, requireWheel } from "../install.ts";
import { downloadWheels } from "../install/pip.ts";
import { unpackWheel } from "../install/wheel.ts";
import { installedLibrary, installFolder, isSupported, LIBRARY_FILE, WHEEL_VERSION } from "./locate.ts";

const WHEEL = {
  requirement: `onednn-cpu-gomp==${WHEEL_VERSION}`,
  platforms: ["manylinux1_x86_64"],
  sha256: "2f22a54d6a890ed14bfa185d42a4be65d8b5b1df85dc1f0f3a9abe31620416fb",
} as const;

/**
 * Downloads the wheel by pip, checks it, and unpacks the library.
 * @throws {InputError} If this machine has another system, there is no pip, the wheel is another one, or no room.
 */
export async function installOneDnn(options: Omit<InstallOptions, "gpu"> = {}): Promise<Installed> {
  if (!isSupported()) {
    throw new InputError(
      "Cannot install oneDNN as it must run on Linux on x86-64: " +
        `current machine is ${Deno.build.os} on ${Deno.build.arch}; use --engine tensorflow or wasm`,
    );
  }
  const place = { folder: installFolder(), library: installedLibrary(), room: "200 MB" }, { progress } = options;
  return await installInto(place, async (into, work) => {
    const wheel = options.wheel ?? (await downloadWheels({
      requirements: [WHEEL.requirement],
      platforms: WHEEL.platforms,
      folder: join(work, "wheels"),
      scratch: join(work, "pip"),
      progress: (doneBytes) => progress?.({ stage: "download", doneBytes }),
    }))[0]!;
    await requireWheel(wheel, { sha256: options.sha256 ?? WHEEL.sha256, progress });
    const unpacked = await unpackWheel(wheel, {
      folder: into,
      target: (name) => basename(name) === LIBRARY_FILE ? LIBRARY_FILE : null,
      progress: (doneBytes, totalBytes) => progress?.({ stage: "unpack", doneBytes, totalBytes }),
    });
    if (unpacked.length === 1) return;
    throw new InputError(`Cannot install from "${wheel}" as it must hold ${LIBRARY_FILE}: it holds none`);
  });
}
