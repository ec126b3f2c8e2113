import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { zipSync } from "fflate";
import { installLibtensorflow } from "../../src/engine/install.ts";
import { CUDA_REQUIREMENTS, wheelFor } from "../../src/engine/install/manifest.ts";
import { cudaFolder, gpuExpected, installFolder, LIBRARY_FILES } from "../../src/engine/locate.ts";

const LINUX = Deno.build.os === "linux" && Deno.build.arch === "x86_64";

/** Runs with an empty cache folder and a PATH with nothing but `bin`; both are gone afterwards. */
async function within(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir(), names = ["REQUANT_CACHE", "PATH", "REQUANT_LIBTENSORFLOW"];
  const before = names.map((name) => Deno.env.get(name));
  Deno.env.set("REQUANT_CACHE", join(folder, "cache"));
  Deno.env.set("PATH", join(folder, "bin"));
  Deno.env.delete("REQUANT_LIBTENSORFLOW");
  try {
    await body(folder);
  } finally {
    names.forEach((name, i) => before[i] === undefined ? Deno.env.delete(name) : Deno.env.set(name, before[i]));
    await Deno.remove(folder, { recursive: true });
  }
}

async function writeZip(path: string, members: Record<string, string>): Promise<string> {
  const bytes = Object.entries(members).map(([name, text]) => [name, new TextEncoder().encode(text)] as const);
  const zip = zipSync(Object.fromEntries(bytes)) as Uint8Array<ArrayBuffer>;
  await Deno.writeFile(path, zip);
  return createHash("sha256").update(zip).digest("hex");
}

/** A pip that hands out these wheels, whatever it is asked for, and writes down what that was. */
async function fakePip(folder: string, wheels: readonly string[]): Promise<void> {
  const file = join(folder, "bin", "python3");
  await Deno.mkdir(join(folder, "bin"));
  await Deno.writeTextFile(
    file,
    `#!/bin/sh\n[ "$2" = pip ] || exit 1\necho "$@" >> '${folder}/log'\n` +
      `while [ "$1" != --dest ]; do shift; done\n${wheels.map((wheel) => `/bin/cp '${wheel}' "$2"`).join("\n")}\n`,
  );
  await Deno.chmod(file, 0o755);
}

function filesBelow(folder: string, prefix = ""): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesBelow(join(folder, name), `${prefix}${name}/`) : [`${prefix}${name}`]
  ).sort();
}

Deno.test({
  name: "installLibtensorflow() for a GPU puts NVIDIA's libraries and tools beside the library, as its RUNPATH expects",
  ignore: !LINUX,
  async fn() {
    await within(async (folder) => {
      const wheel = join(folder, "tensorflow.whl"),
        names = ["a", "b"].map((name) => join(folder, `nvidia_${name}.whl`));
      const sha256 = await writeZip(
        wheel,
        Object.fromEntries(LIBRARY_FILES.map((name) => [`tensorflow/${name}`, name])),
      );
      // both have nvidia/__init__.py, as NVIDIA's wheels do
      await writeZip(names[0]!, {
        "nvidia/__init__.py": "",
        "nvidia/cuda_runtime/lib/libcudart.so.12": "a",
        "nvidia/cuda_runtime/include/cuda.h": "b",
      });
      await writeZip(names[1]!, {
        "nvidia/__init__.py": "",
        "nvidia/cuda_nvcc/bin/ptxas": "c",
        "nvidia/cuda_nvcc/nvvm/libdevice/libdevice.10.bc": "d",
        "nvidia_b-1.dist-info/RECORD": "e",
      });
      await fakePip(folder, names);
      const { library } = await installLibtensorflow({ gpu: true, wheel, sha256 });
      assert.deepEqual(filesBelow(installFolder("gpu")), [
        "nvidia/cuda_nvcc/bin/ptxas",
        "nvidia/cuda_nvcc/nvvm/libdevice/libdevice.10.bc",
        "nvidia/cuda_runtime/lib/libcudart.so.12",
        ...LIBRARY_FILES.map((name) => `tensorflow/${name}`),
      ]);
      assert.equal((await Deno.stat(join(installFolder("gpu"), "nvidia/cuda_nvcc/bin/ptxas"))).mode! & 0o111, 0o111);
      assert.equal(cudaFolder(library), join(installFolder("gpu"), "nvidia"));
      const driver = await Deno.stat("/proc/driver/nvidia/version").then(() => true, () => false);
      assert.equal(await gpuExpected(), driver);
      const asked = await Deno.readTextFile(join(folder, "log"));
      for (const requirement of CUDA_REQUIREMENTS) assert.ok(asked.includes(requirement), requirement);
    });
  },
});

Deno.test("cudaFolder() is null beside a library without CUDA", async () => {
  await within((folder) => Promise.resolve(assert.equal(cudaFolder(join(folder, "tensorflow", "library.so")), null)));
});

Deno.test("the wheels for a GPU may name older platforms than TensorFlow's, as NVIDIA's do", () => {
  const { platforms } = wheelFor("gpu", { os: "linux", arch: "x86_64" });
  assert.equal(platforms[0], "manylinux_2_27_x86_64");
  for (const older of ["manylinux2014_x86_64", "manylinux2010_x86_64"]) assert.ok(platforms.includes(older), older);
});
