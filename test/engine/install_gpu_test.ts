import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { zipSync } from "fflate";
import { checkCuda } from "../../src/engine/cuda.ts";
import { installLibtensorflow } from "../../src/engine/install.ts";
import { CUDA_REQUIREMENTS, wheelFor } from "../../src/engine/install/manifest.ts";
import { cudaFolder, gpuExpected, installedLibrary, installFolder, LIBRARY_FILES } from "../../src/engine/locate.ts";
import { emptyPath, withVariables } from "../support/variables.ts";

const LINUX = Deno.build.os === "linux" && Deno.build.arch === "x86_64";

/** The CPU's library, where it is installed. */
const LIBRARY = await Deno.stat(installedLibrary("cpu")).then(() => installedLibrary("cpu"), () => null);

async function writeZip(path: string, members: Record<string, string>): Promise<string> {
  const bytes = Object.entries(members).map(([name, text]) => [name, new TextEncoder().encode(text)] as const);
  const zip = zipSync(Object.fromEntries(bytes)) as Uint8Array<ArrayBuffer>;
  await Deno.writeFile(path, zip);
  return createHash("sha256").update(zip).digest("hex");
}

/** NVIDIA's requirements, by the names of their wheels. */
const PROJECTS = CUDA_REQUIREMENTS.map((requirement) => /^[\w-]+/.exec(requirement)![0].replaceAll("-", "_"));

/**
 * A pip that hands out the wheels of `index` by their project, as long as it has them, and writes down what it is asked for.
 * Each project has a small wheel there but for those that are given.
 */
async function fakePip(folder: string, given: Record<string, Record<string, string>> = {}): Promise<void> {
  const index = join(folder, "index"), file = join(folder, "bin", "python3");
  await Deno.mkdir(index);
  await Deno.mkdir(join(folder, "bin"));
  for (const project of PROJECTS) {
    const name = `${project}-1.2-py3-none-any.whl`;
    await writeZip(join(index, name), given[project] ?? { [`nvidia/${project}/lib/${project}.so`]: project });
  }
  await Deno.writeTextFile(
    file,
    `#!/bin/sh
[ "$2" = pip ] || exit 1
while [ "$1" != --dest ]; do shift; done
echo "$3" >> '${folder}/log'
name=$(echo "$3" | /bin/sed 's/[=<>].*//; s/-/_/g')
/bin/cp '${index}'/$name-*.whl "$2" || { echo "ERROR: connection broken" >&2; exit 1; }
`,
  );
  await Deno.chmod(file, 0o755);
}

/** Requirements that the fake pip was asked for since the last call. */
async function asked(folder: string): Promise<string[]> {
  const lines = (await Deno.readTextFile(join(folder, "log"))).trim().split("\n");
  await Deno.remove(join(folder, "log"));
  return lines;
}

async function writeTensorflow(folder: string): Promise<{ wheel: string; sha256: string }> {
  const wheel = join(folder, "tensorflow.whl");
  const members = Object.fromEntries(LIBRARY_FILES.map((name) => [`tensorflow/${name}`, name]));
  return { wheel, sha256: await writeZip(wheel, members) };
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
    await withVariables(emptyPath, async (folder) => {
      const given = await writeTensorflow(folder), said: string[] = [];
      await fakePip(folder, {
        nvidia_cuda_runtime_cu12: {
          "nvidia/__init__.py": "", // NVIDIA's wheels all have it
          "nvidia/cuda_runtime/lib/libcudart.so.12": "a",
          "nvidia/cuda_runtime/include/cuda.h": "b",
        },
        nvidia_cuda_nvcc_cu12: {
          "nvidia/__init__.py": "",
          "nvidia/cuda_nvcc/bin/ptxas": "c",
          "nvidia/cuda_nvcc/nvvm/libdevice/libdevice.10.bc": "d",
          "nvidia_cuda_nvcc_cu12-1.2.dist-info/METADATA": "e",
          "nvidia_cuda_nvcc_cu12-1.2.dist-info/RECORD": "f",
        },
      });
      const { library } = await installLibtensorflow({ gpu: true, ...given, say: (line) => said.push(line) });
      const others = PROJECTS.filter((name) => !/runtime|nvcc/.test(name));
      assert.deepEqual(
        filesBelow(installFolder("gpu")),
        [
          "nvidia/cuda_nvcc/bin/ptxas",
          "nvidia/cuda_nvcc/nvvm/libdevice/libdevice.10.bc",
          "nvidia/cuda_runtime/lib/libcudart.so.12",
          ...others.map((name) => `nvidia/${name}/lib/${name}.so`),
          "nvidia_cuda_nvcc_cu12-1.2.dist-info/METADATA",
          ...LIBRARY_FILES.map((name) => `tensorflow/${name}`),
        ].sort(),
      );
      assert.equal((await Deno.stat(join(installFolder("gpu"), "nvidia/cuda_nvcc/bin/ptxas"))).mode! & 0o111, 0o111);
      assert.equal(cudaFolder(library), join(installFolder("gpu"), "nvidia"));
      const driver = await Deno.stat("/proc/driver/nvidia/version").then(() => true, () => false);
      assert.equal(await gpuExpected(), driver);
      assert.deepEqual(await asked(folder), CUDA_REQUIREMENTS);
      assert.deepEqual(said, ["Downloading 3.4 GB by pip (12 wheels): 5.7 GB on disk in the end, 9.2 GB meanwhile"]);
      assert.deepEqual([...Deno.readDirSync(dirname(installFolder("gpu")))].map(({ name }) => name), ["2.21.0-gpu"]);
    });
  },
});

Deno.test({
  name: "installLibtensorflow() for a GPU that broke off fetches no finished wheel again, and leaves a bad one out",
  ignore: !LINUX,
  async fn() {
    await withVariables(emptyPath, async (folder) => {
      const given = await writeTensorflow(folder), said: string[] = [], { sha256 } = given;
      const install = () => installLibtensorflow({ gpu: true, ...given, sha256, say: (line) => said.push(line) });
      await fakePip(folder);
      const [away, bad] = [4, 7].map((at) => join(folder, "index", `${PROJECTS[at]}-1.2-py3-none-any.whl`));
      await Deno.rename(away!, `${away}.away`);
      await assert.rejects(install(), /as pip failed \(connection broken\)/);
      assert.deepEqual(await asked(folder), CUDA_REQUIREMENTS.slice(0, 5));
      assert.match(said.at(-1)!, /^Wheels are kept in .*\.wheels-2\.21\.0-gpu: the same command continues$/);
      await Deno.rename(`${away}.away`, away!);
      const good = await Deno.readFile(bad!);
      await Deno.writeTextFile(bad!, "no wheel");
      await assert.rejects(install(), /Cannot unpack .*: it is not a zip file; download it again/);
      assert.deepEqual(await asked(folder), CUDA_REQUIREMENTS.slice(4));
      assert.match(said.at(-2)!, /^Downloading 3\.4 GB by pip \(12 wheels, 4 of them here\)/);
      await Deno.writeFile(bad!, good);
      assert.equal((await install()).fresh, true);
      assert.deepEqual(await asked(folder), [CUDA_REQUIREMENTS[7]]);
    });
  },
});

Deno.test({
  name: "installLibtensorflow() refuses a disk without room before it downloads, with what is free",
  ignore: !LINUX,
  async fn() {
    await withVariables(emptyPath, async (folder) => {
      await fakePip(folder);
      await assert.rejects(
        installLibtensorflow({ gpu: true, freeBytes: () => Promise.resolve(5e9) }),
        /^InputError: Cannot install into ".*" as it takes 9\.2 GB and 5\.0 GB are free: free some, or set REQUANT_CACHE/,
      );
      await assert.rejects(Deno.stat(join(folder, "log")), Deno.errors.NotFound);
    });
  },
});

Deno.test({
  name: "checkCuda() names what the loader does not find, XLA's files that are missing, and the versions",
  ignore: !LINUX || LIBRARY === null,
  async fn() {
    await withVariables(emptyPath, async (folder) => {
      // the CPU's libraries take the place of NVIDIA's: one is complete, the other one lacks its companion
      const [cc, framework] = LIBRARY_FILES.map((name) => join(dirname(LIBRARY!), name));
      const place = async (path: string, from: string) => {
        await Deno.mkdir(join(folder, dirname(path)), { recursive: true });
        await Deno.symlink(from, join(folder, path));
      };
      await place("tensorflow/libtensorflow_framework.so.2", framework!);
      await place("nvidia/cuda_runtime/lib/libcudart.so.12", framework!);
      await place("nvidia/cublas/lib/libcublas.so.12", cc!);
      await place("nvidia/cuda_nvcc/bin/ptxas", cc!);
      await Deno.mkdir(join(folder, "nvidia_cublas_cu12-12.9.1.4.dist-info"));
      const before = Deno.env.get("PATH");
      Deno.env.set("PATH", "/usr/bin:/bin");
      const cuda = (await checkCuda(join(folder, "tensorflow", LIBRARY_FILES[0])))!;
      Deno.env.set("PATH", before!);
      assert.deepEqual([cuda.versions, cuda.libraries], [{ cublas: "12.9.1.4" }, 2]);
      assert.deepEqual(cuda.problems.slice(0, 2), [
        "libcublas.so.12 needs libtensorflow_framework.so.2, which is missing",
        "cuda_nvcc/nvvm/libdevice/libdevice.10.bc is missing, which XLA needs",
      ]);
      assert.ok(cuda.problems.includes("libtensorflow finds no Cudnn"));
      assert.equal(await checkCuda(LIBRARY!), null);
    });
  },
});

Deno.test("cudaFolder() is null beside a library without CUDA", async () => {
  await withVariables(emptyPath, (folder) => assert.equal(cudaFolder(join(folder, "tensorflow", "library.so")), null));
});

Deno.test("the wheels for a GPU may name older platforms than TensorFlow's, as NVIDIA's do", () => {
  const { platforms } = wheelFor("gpu", { os: "linux", arch: "x86_64" });
  assert.equal(platforms[0], "manylinux_2_27_x86_64");
  for (const older of ["manylinux2014_x86_64", "manylinux2010_x86_64"]) assert.ok(platforms.includes(older), older);
});
