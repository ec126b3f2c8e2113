import assert from "node:assert/strict";
import { join } from "node:path";
import { InputError } from "../../src/errors.ts";
import { installedLibrary, installFolder, LIBRARY_FILES, searchLibtensorflow } from "../../src/engine/locate.ts";
import { emptyPath, withVariables } from "../support/variables.ts";

async function found() {
  return (await searchLibtensorflow()).found;
}

async function touch(...path: string[]): Promise<string> {
  const file = join(...path);
  await Deno.mkdir(join(file, ".."), { recursive: true });
  await Deno.writeTextFile(file, "");
  return file;
}

/** A python3 that runs these shell commands. */
async function fakePython(folder: string, commands: string): Promise<void> {
  const file = await touch(folder, "bin", "python3");
  await Deno.writeTextFile(file, `#!/bin/sh\n${commands}\n`);
  await Deno.chmod(file, 0o755);
}

Deno.test("searchLibtensorflow() finds nothing where there is nothing", async () => {
  await withVariables(emptyPath, async () => assert.equal(await found(), null));
});

Deno.test("searchLibtensorflow() takes REQUANT_LIBTENSORFLOW first, as a file or a folder", async () => {
  await withVariables(emptyPath, async (folder) => {
    const library = await touch(folder, "own", LIBRARY_FILES[0]);
    await touch(installedLibrary("cpu"));
    for (const named of [library, join(folder, "own")]) {
      Deno.env.set("REQUANT_LIBTENSORFLOW", named);
      assert.deepEqual(await found(), { library, source: "REQUANT_LIBTENSORFLOW" });
    }
  });
});

Deno.test("searchLibtensorflow() refuses a REQUANT_LIBTENSORFLOW that is not there, or of another version", async () => {
  await withVariables(emptyPath, async (folder) => {
    Deno.env.set("REQUANT_LIBTENSORFLOW", join(folder, "nowhere"));
    await assert.rejects(found(), (error) => {
      assert.ok(error instanceof InputError && error.message.includes(`current value is "${join(folder, "nowhere")}"`));
      return true;
    });
    Deno.env.set("REQUANT_LIBTENSORFLOW", await touch(folder, "libtensorflow_cc.so.2.15.0"));
    await assert.rejects(found(), /must be of version 2\.21: .* of version 2\.15\.0/);
    const right = await touch(folder, "libtensorflow_cc.so.2.21.3");
    Deno.env.set("REQUANT_LIBTENSORFLOW", right);
    assert.equal((await found())?.library, right);
  });
});

Deno.test("searchLibtensorflow() takes Python's TensorFlow of version 2.21 before the installed one", async () => {
  await withVariables(emptyPath, async (folder) => {
    const library = await touch(folder, "tensorflow", LIBRARY_FILES[0]);
    await touch(installedLibrary("cpu"));
    await fakePython(folder, `echo '["${join(folder, "tensorflow")}", "2.21.1"]'`);
    assert.deepEqual(await found(), { library, source: "Python's tensorflow 2.21.1" });
  });
});

Deno.test("searchLibtensorflow() passes over Python's TensorFlow of another version and says so", async () => {
  await withVariables(emptyPath, async (folder) => {
    await touch(folder, "tensorflow", LIBRARY_FILES[0]);
    const installed = await touch(installedLibrary("cpu"));
    await fakePython(folder, `echo '["${join(folder, "tensorflow")}", "2.15.0"]'`);
    const { found, passedOver } = await searchLibtensorflow();
    assert.deepEqual(found, { library: installed, source: "installed for CPU" });
    assert.equal(passedOver.length, 1);
    assert.match(passedOver[0]!, /is not used as it must be 2\.21: its version is 2\.15\.0$/);
  });
});

Deno.test("searchLibtensorflow() does not wait for a Python that hangs, nor trip over one that fails", async () => {
  await withVariables(emptyPath, async (folder) => {
    await fakePython(folder, "exec /bin/sleep 30");
    const start = performance.now();
    assert.deepEqual(await searchLibtensorflow({ pythonSeconds: 0.3 }), { found: null, passedOver: [] });
    assert.ok(performance.now() - start < 10_000);
    for (const commands of ["exit 1", "echo nonsense", "echo null"]) {
      await fakePython(folder, commands);
      assert.deepEqual(await searchLibtensorflow(), { found: null, passedOver: [] });
    }
  });
});

const PYTHON = await new Deno.Command("python3", { args: ["--version"], stdout: "null", stderr: "null" }).output()
  .then(({ success }) => success, () => false);

Deno.test({
  name: "searchLibtensorflow() reads a real Python's package and version without importing it",
  ignore: !PYTHON,
  async fn() {
    await withVariables((folder) => ({ PYTHONPATH: join(folder, "site") }), async (folder) => {
      const library = await touch(folder, "site", "tensorflow", LIBRARY_FILES[0]);
      await Deno.writeTextFile(join(folder, "site", "tensorflow", "__init__.py"), "raise SystemExit('imported')");
      const metadata = await touch(folder, "site", "tensorflow_cpu-2.21.5.dist-info", "METADATA");
      await Deno.writeTextFile(metadata, "Metadata-Version: 2.1\nName: tensorflow-cpu\nVersion: 2.21.5\n");
      assert.deepEqual(await found(), { library, source: "Python's tensorflow 2.21.5" });
    });
  },
});

Deno.test("searchLibtensorflow() takes the library installed for a GPU before that for the CPU", async () => {
  await withVariables(emptyPath, async () => {
    const cpu = await touch(installedLibrary("cpu"));
    assert.equal((await found())?.library, cpu);
    const gpu = await touch(installedLibrary("gpu"));
    assert.equal((await found())?.library, gpu);
    assert.equal(gpu, join(installFolder("gpu"), "tensorflow", LIBRARY_FILES[0]));
  });
});
