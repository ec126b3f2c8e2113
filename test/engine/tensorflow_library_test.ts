import assert from "node:assert/strict";
import { join } from "node:path";
import { openEngine, resolveEngineName } from "../../src/engine/mod.ts";
import { openTensorFlowEngine } from "../../src/engine/tensorflow/engine.ts";
import { InputError } from "../../src/errors.ts";
import { emptyPath, withVariables } from "../support/variables.ts";

/** A python3 that has TensorFlow of this version in `folder`, and notes every call in `folder`/asked. */
async function fakePython(folder: string, version: string): Promise<void> {
  await Deno.mkdir(join(folder, "bin"));
  const file = join(folder, "bin", "python3");
  await Deno.writeTextFile(file, `#!/bin/sh\necho call >> "${folder}/asked"\necho '["${folder}", "${version}"]'\n`);
  await Deno.chmod(file, 0o755);
}

/** Asserts that this ends in an InputError of one sentence: one line, no full stop. */
async function assertRefused(run: () => unknown, message: RegExp | string): Promise<void> {
  await assert.rejects(async () => await run(), (error) => {
    assert.ok(error instanceof InputError, String(error));
    typeof message === "string" ? assert.equal(error.message, message) : assert.match(error.message, message);
    assert.doesNotMatch(error.message, /\n|\.$/);
    return true;
  });
}

const REMEDY = "run `deno task engine install`, set REQUANT_LIBTENSORFLOW to a libtensorflow_cc of version 2.21, " +
  "or take --engine wasm";

Deno.test("openEngine() says that there is no libtensorflow, and auto then means wasm", async () => {
  await withVariables(emptyPath, async () => {
    await assertRefused(
      () => openEngine("tensorflow"),
      `Cannot use engine tensorflow as libtensorflow was not found: ${REMEDY}`,
    );
    assert.equal(await resolveEngineName("auto"), "wasm");
  });
});

Deno.test("openEngine() says which libtensorflow it met and does not take", async () => {
  await withVariables(emptyPath, async (folder) => {
    await fakePython(folder, "2.15.0");
    await assertRefused(
      () => openEngine("tensorflow"),
      `Cannot use engine tensorflow as libtensorflow was not found (Python's TensorFlow in "${folder}" is not used as it ` +
        `must be 2.21: its version is 2.15.0): ${REMEDY}`,
    );
    assert.equal(await resolveEngineName("auto"), "wasm");
  });
});

Deno.test("openEngine() refuses a REQUANT_LIBTENSORFLOW that points to nothing, also for auto", async () => {
  await withVariables(emptyPath, async (folder) => {
    const nowhere = join(folder, "nowhere");
    Deno.env.set("REQUANT_LIBTENSORFLOW", nowhere);
    for (const choice of ["tensorflow", "auto"] as const) {
      await assertRefused(
        () => openEngine(choice),
        /^Cannot use REQUANT_LIBTENSORFLOW as it must name .*: current value is ".*\/nowhere", where there is none; /,
      );
    }
    assert.equal((await openEngine("wasm")).name, "wasm");
  });
});

Deno.test("openEngine() looks for the library once", async () => {
  await withVariables(emptyPath, async (folder) => {
    await fakePython(folder, "2.21.0");
    for (const name of ["libtensorflow_cc.so.2", "libtensorflow_cc.2.dylib"]) {
      await Deno.writeTextFile(join(folder, name), "no library");
    }
    await assertRefused(() => openEngine("tensorflow"), /^Cannot open libtensorflow at ".*libtensorflow_cc/);
    assert.equal(await Deno.readTextFile(join(folder, "asked")), "call\n");
  });
});

Deno.test("openTensorFlowEngine() refuses a library that is not TensorFlow", async () => {
  const library = Deno.build.os === "darwin" ? "/usr/lib/libSystem.dylib" : "libm.so.6";
  await assertRefused(
    () => openTensorFlowEngine({ library, source: "a test", threads: 1 }),
    /^Cannot open libtensorflow at ".*lib(m\.so\.6|System\.dylib)": .*: run `deno task engine install` or set REQUANT_/,
  );
});

const COMPILER = await new Deno.Command("cc", { args: ["--version"], stdout: "null", stderr: "null" }).output()
  .then(({ success }) => success, () => false);

Deno.test({
  name: "openTensorFlowEngine() refuses a TensorFlow of another version",
  ignore: !COMPILER,
  async fn() {
    const folder = await Deno.makeTempDir(), library = join(folder, "libtensorflow_cc.so.2");
    const source = await Deno.readTextFile(new URL("../../src/engine/tensorflow/ffi.ts", import.meta.url));
    const names = [...source.matchAll(/^ {2}(TFE?_\w+): \{/gm)].map(([, name]) => name!);
    assert.ok(names.length > 50 && names.includes("TF_Version"));
    const stubs = names.map((name) => name === "TF_Version" ? "" : `void ${name}(void) {}\n`).join("");
    await Deno.writeTextFile(join(folder, "fake.c"), `const char *TF_Version(void) { return "2.15.1"; }\n${stubs}`);
    const args = ["-shared", "-fPIC", "-o", library, join(folder, "fake.c")];
    assert.ok((await new Deno.Command("cc", { args }).output()).success);
    await assertRefused(
      () => openTensorFlowEngine({ library, source: "a test", threads: 1 }),
      `Cannot use libtensorflow 2.15.1 at "${library}" as the engine is written for 2.21: ` +
        "run `deno task engine install` and unset REQUANT_LIBTENSORFLOW",
    );
    await Deno.remove(folder, { recursive: true });
  },
});
