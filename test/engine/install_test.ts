import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import { zipSync } from "fflate";
import { InputError } from "../../src/errors.ts";
import { installLibtensorflow } from "../../src/engine/install.ts";
import { wheelFor } from "../../src/engine/install/manifest.ts";
import { downloadWheels } from "../../src/engine/install/pip.ts";
import { isDiskFull } from "../../src/errors.ts";
import { unpackWheel } from "../../src/engine/install/wheel.ts";
import { installedLibrary, installFolder, LIBRARY_FILES } from "../../src/engine/locate.ts";
import { emptyPath, withVariables } from "../support/variables.ts";

/** Bytes that neither compress to nothing nor are the same twice. */
function bytes(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * (seed + 7) + (i >> 5)) % 251);
}

const CONTENTS = [bytes(3_000_000, 1), bytes(70_000, 2)] as const;

function wheelBytes(): Uint8Array<ArrayBuffer> {
  return zipSync({
    "tensorflow/__init__.py": bytes(1000, 3),
    [`tensorflow/${LIBRARY_FILES[1]}`]: CONTENTS[1],
    [`tensorflow/include/${LIBRARY_FILES[0]}`]: bytes(10, 4),
    [`tensorflow/${LIBRARY_FILES[0]}`]: [CONTENTS[0], { level: 0 }],
    "tensorflow-2.21.0.dist-info/RECORD": bytes(5000, 5),
  }) as Uint8Array<ArrayBuffer>;
}

function sha256(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** Writes a wheel and gives what `installLibtensorflow` needs to know of it. */
async function writeWheel(folder: string, data = wheelBytes()): Promise<{ wheel: string; sha256: string }> {
  const wheel = join(folder, "some.whl");
  await Deno.writeFile(wheel, data);
  return { wheel, sha256: sha256(data) };
}

/** What there is in the folder that installations go to. */
function installed(): string[] {
  try {
    return [...Deno.readDirSync(join(installFolder("cpu"), ".."))].map(({ name }) => name);
  } catch {
    return [];
  }
}

async function assertRefused(promise: Promise<unknown>, message: RegExp): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof InputError, String(error));
    assert.match(error.message, message);
    return true;
  });
}

Deno.test("installLibtensorflow() unpacks the two libraries and nothing else, once", async () => {
  await withVariables(emptyPath, async (folder) => {
    const given = await writeWheel(folder), library = installedLibrary("cpu"), seen: string[] = [];
    assert.deepEqual(
      await installLibtensorflow({ ...given, progress: ({ stage }) => seen.push(stage) }),
      { library, fresh: true },
    );
    assert.deepEqual([...new Set(seen)], ["check", "unpack"]);
    assert.deepEqual(Array.from(Deno.readDirSync(installFolder("cpu")), ({ name }) => name).sort(), [...LIBRARY_FILES]);
    for (const [i, name] of LIBRARY_FILES.entries()) {
      assert.equal(sha256(Deno.readFileSync(join(installFolder("cpu"), name))), sha256(CONTENTS[i]!));
    }
    assert.deepEqual(installed(), ["2.21.0-cpu"]);
    assert.deepEqual(await installLibtensorflow(given), { library, fresh: false });
    assert.ok(await Deno.stat(given.wheel), "a wheel that was given stays");
  });
});

Deno.test("unpackWheel() refuses a member that would leave its folder, and writes nothing of it", async () => {
  await withVariables(emptyPath, async (folder) => {
    for (const name of ["nvidia/../../outside.so", "../outside.so", "nvidia/../../inner-else/outside.so"]) {
      const { wheel } = await writeWheel(folder, zipSync({ [name]: bytes(10, 1) }) as Uint8Array<ArrayBuffer>);
      await assertRefused(
        unpackWheel(wheel, { folder: join(folder, "inner"), target: (member) => member }),
        /^Cannot unpack ".*": its member ".*" would leave the folder; download it again$/,
      );
      await assert.rejects(Deno.stat(join(folder, "outside.so")), Deno.errors.NotFound);
      await assert.rejects(Deno.stat(join(folder, "inner-else")), Deno.errors.NotFound);
    }
  });
});

Deno.test("installLibtensorflow() refuses a wheel with one flipped byte, naming both checksums", async () => {
  await withVariables(emptyPath, async (folder) => {
    const data = wheelBytes(), expected = sha256(data);
    data[5000]! ^= 1;
    const { wheel, sha256: actual } = await writeWheel(folder, data);
    await assertRefused(
      installLibtensorflow({ wheel, sha256: expected }),
      new RegExp(`SHA-256 must be ${expected}: current value is ${actual}`),
    );
    assert.deepEqual(installed(), []);
  });
});

Deno.test("installLibtensorflow() checks against the manifest where no checksum is given", async () => {
  await withVariables(emptyPath, async (folder) => {
    const { wheel } = await writeWheel(folder);
    await assertRefused(installLibtensorflow({ wheel }), new RegExp(`must be ${wheelFor("cpu").sha256}`));
  });
});

Deno.test("installLibtensorflow() refuses a cut-off wheel, one that is no zip file, and one without the libraries", async () => {
  await withVariables(emptyPath, async (folder) => {
    const whole = wheelBytes();
    const cut = await writeWheel(folder, whole.slice(0, whole.length / 2));
    await assertRefused(installLibtensorflow(cut), /Cannot unpack ".*some\.whl": .*; download it again/);
    const noZip = await writeWheel(folder, new TextEncoder().encode("<html>not found</html>"));
    await assertRefused(installLibtensorflow(noZip), /it is not a zip file/);
    const other = await writeWheel(folder, zipSync({ "numpy/a.so": bytes(9, 1) }) as Uint8Array<ArrayBuffer>);
    await assertRefused(installLibtensorflow(other), /must hold .*: it holds neither/);
    await assertRefused(installLibtensorflow({ wheel: join(folder, "none.whl") }), /must exist: current value is/);
    assert.deepEqual(installed(), []);
  });
});

Deno.test("installLibtensorflow() refuses a bad wheel where a library is there already", async () => {
  await withVariables(emptyPath, async (folder) => {
    await installLibtensorflow(await writeWheel(folder));
    const before = installed();
    await assertRefused(installLibtensorflow({ wheel: join(folder, "none.whl") }), /must exist: current value is/);
    await assertRefused(installLibtensorflow({ wheel: folder }), /must exist: current value is/);
    const damaged = join(folder, "damaged.whl");
    await Deno.writeTextFile(damaged, "no wheel");
    await assertRefused(installLibtensorflow({ wheel: damaged }), /its SHA-256 must be /);
    assert.deepEqual(installed(), before);
  });
});

Deno.test("installLibtensorflow() killed while unpacking leaves nothing usable, and the next one cleans up", async () => {
  await withVariables(emptyPath, async (folder) => {
    const given = await writeWheel(folder), module = import.meta.resolve("../../src/engine/install.ts");
    const script = `import { installLibtensorflow } from ${JSON.stringify(module)};
      const progress = ({ stage, doneBytes, totalBytes }) => {
        if (stage === "unpack" && doneBytes < totalBytes) Deno.kill(Deno.pid, "SIGKILL");
      };
      await installLibtensorflow({ ...${JSON.stringify(given)}, progress });`;
    const config = new URL(import.meta.resolve("../../deno.json")).pathname;
    const args = ["eval", "--quiet", "--config", config, script];
    const killed = await new Deno.Command(Deno.execPath(), { args, stdout: "null", stderr: "piped" }).output();
    assert.equal(killed.signal, "SIGKILL", new TextDecoder().decode(killed.stderr) || "it was not killed");
    const left = installed();
    assert.ok(left.length === 1 && left[0]!.startsWith(`.installing-${hostname()}-`), String(left));
    assert.equal((await installLibtensorflow(given)).fresh, true);
    assert.deepEqual(installed(), ["2.21.0-cpu"]);
  });
});

Deno.test("installLibtensorflow() replaces a folder that has lost its library", async () => {
  await withVariables(emptyPath, async (folder) => {
    const given = await writeWheel(folder);
    await installLibtensorflow(given);
    await Deno.remove(installedLibrary("cpu"));
    assert.equal((await installLibtensorflow(given)).fresh, true);
    assert.equal((await Deno.stat(installedLibrary("cpu"))).size, CONTENTS[0].length);
  });
});

Deno.test("installLibtensorflow() says so when the cache cannot be written", async () => {
  await withVariables(emptyPath, async (folder) => {
    const given = await writeWheel(folder);
    Deno.env.set("REQUANT_CACHE", given.wheel); // a file, where a folder must be
    await assertRefused(installLibtensorflow(given), /cannot be written: make it writable, or set REQUANT_CACHE/);
  });
});

/** A python3 whose pip does this. */
async function fakePip(folder: string, commands: string): Promise<void> {
  await Deno.mkdir(join(folder, "bin"), { recursive: true });
  const file = join(folder, "bin", "python3");
  await Deno.writeTextFile(file, `#!/bin/sh\n${commands}\n`);
  await Deno.chmod(file, 0o755);
}

Deno.test("installLibtensorflow() downloads by pip for another Python and platform, and deletes the wheel", async () => {
  await withVariables(emptyPath, async (folder) => {
    const { wheel, sha256 } = await writeWheel(folder), log = join(folder, "log");
    await fakePip(
      folder,
      `echo "$@" > '${log}'
       while [ "$1" != --dest ]; do shift; done
       /bin/cp '${wheel}' "$2/tensorflow_cpu-2.21.0-cp311-cp311-linux.whl"`,
    );
    assert.equal((await installLibtensorflow({ sha256 })).fresh, true);
    const asked = await Deno.readTextFile(log), { project, platforms } = wheelFor("cpu");
    assert.match(asked, /^-m pip download --no-deps --only-binary=:all: /);
    const named = platforms.map((platform) => `--platform ${platform}`).join(" ");
    assert.match(asked, new RegExp(`--python-version 3.11 ${named} --dest .* ${project}==2.21.0\n$`));
    assert.deepEqual(installed(), ["2.21.0-cpu"]);
  });
});

Deno.test("downloadWheels() says what is missing: Python, pip, the network or room", async () => {
  await withVariables(emptyPath, async (folder) => {
    const download = () =>
      downloadWheels({
        requirements: ["tensorflow-cpu==2.21.0"],
        platforms: ["any"],
        folder: join(folder, "wheels"),
        scratch: join(folder, "scratch"),
      });
    await assertRefused(download(), /python3 with pip was not found: install Python 3 with pip/);
    await fakePip(folder, "echo '/usr/bin/python3: No module named pip' >&2; exit 1");
    await assertRefused(download(), /python3 with pip was not found/);
    await fakePip(folder, "echo 'WARNING: Retrying' >&2; echo 'ERROR: No matching distribution' >&2; exit 1");
    await assertRefused(
      download(),
      /Cannot download tensorflow-cpu==2\.21\.0 as pip failed \(No matching distribution\): check the network/,
    );
    await fakePip(folder, "echo 'ERROR: [Errno 28] No space left on device' >&2; exit 1");
    await assertRefused(installLibtensorflow(), /as the disk is full: free about 1\.2 GB, or set REQUANT_CACHE/);
    assert.deepEqual(installed(), []);
  });
});

Deno.test(
  "isDiskFull() knows the error of a device that takes no byte",
  { ignore: Deno.build.os !== "linux" },
  async () => {
    using full = await Deno.open("/dev/full", { write: true });
    await assert.rejects(full.write(new Uint8Array(1)), isDiskFull);
    assert.equal(isDiskFull(Object.assign(new Error("no room"), { code: "EDQUOT" })), true);
    assert.equal(isDiskFull(new Error("Permission denied (os error 13)")), false);
  },
);

Deno.test("wheelFor() refuses machines without a wheel", () => {
  assert.throws(
    () => wheelFor("gpu", { os: "darwin", arch: "aarch64" }),
    /Cannot install libtensorflow 2\.21\.0 for GPU .*: current machine is darwin on aarch64; use --engine wasm/,
  );
  assert.equal(wheelFor("cpu", { os: "linux", arch: "aarch64" }).project, "tensorflow");
});
