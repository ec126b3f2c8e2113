import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { zipSync } from "fflate";
import { InputError } from "../../src/errors.ts";
import { installOneDnn } from "../../src/engine/onednn/install.ts";
import { OneDnn } from "../../src/engine/onednn/library.ts";
import { resolveEngineName } from "../../src/engine/mod.ts";
import {
  installedLibrary,
  isSupported,
  LIBRARY_FILE,
  locateOneDnn,
  processorServes,
} from "../../src/engine/onednn/locate.ts";
import { ENGINES } from "../support/engines.ts";
import { withVariables } from "../support/variables.ts";

const CONTENT = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7 + (i >> 5)) % 251);

/** Writes a wheel with this member, and gives what `installOneDnn` needs to know of it. */
async function writeWheel(folder: string, member = `onednn.data/data/lib/${LIBRARY_FILE}`) {
  const data = zipSync({ [member]: CONTENT, "onednn.data/data/lib/libdnnl.so": CONTENT });
  const wheel = join(folder, "some.whl");
  await Deno.writeFile(wheel, data as Uint8Array<ArrayBuffer>);
  return { wheel, sha256: createHash("sha256").update(data).digest("hex") };
}

function refused(message: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof InputError, String(error));
    assert.match(error.message, message);
    return true;
  };
}

function test(name: string, body: () => Promise<void>): void {
  Deno.test({ name, ignore: !isSupported(), fn: body });
}

test("installOneDnn() keeps one library of the wheel, once, and it is then found", async () => {
  await withVariables(() => ({}), async (folder) => {
    const given = await writeWheel(folder);
    assert.equal(await locateOneDnn(), null);
    assert.deepEqual(await installOneDnn(given), { library: installedLibrary(), fresh: true });
    assert.deepEqual(await Deno.readFile(installedLibrary()), CONTENT);
    assert.deepEqual([...Deno.readDirSync(join(installedLibrary(), ".."))].map(({ name }) => name), [LIBRARY_FILE]);
    assert.deepEqual(await locateOneDnn(), { library: installedLibrary(), source: "installed" });
    assert.deepEqual(await installOneDnn(given), { library: installedLibrary(), fresh: false });
  });
});

test("installOneDnn() refuses a wheel with another checksum, a truncated one, and one without the library", async () => {
  await withVariables(() => ({}), async (folder) => {
    const { wheel, sha256 } = await writeWheel(folder);
    await assert.rejects(installOneDnn({ wheel }), refused(/its SHA-256 must be 2f22a54d.*current value is/));
    const cut = (await Deno.readFile(wheel)).subarray(0, 500);
    await Deno.writeFile(wheel, cut);
    const cutSum = createHash("sha256").update(cut).digest("hex");
    await assert.rejects(installOneDnn({ wheel, sha256: cutSum }), refused(/Cannot unpack .* download it again/));
    const other = await writeWheel(folder, "onednn.data/data/lib/libother.so");
    assert.notEqual(other.sha256, sha256);
    await assert.rejects(installOneDnn(other), refused(/must hold libdnnl\.so\.3: it holds none/));
    assert.equal(await locateOneDnn(), null);
  });
});

Deno.test("locateOneDnn() takes REQUANT_ONEDNN as a file or a folder, and refuses a place without a library", async () => {
  await withVariables((folder) => ({ REQUANT_ONEDNN: folder }), async (folder) => {
    await assert.rejects(locateOneDnn(), refused(/REQUANT_ONEDNN as it must name libdnnl\.so\.3 or its folder/));
    const library = join(folder, LIBRARY_FILE);
    await Deno.writeTextFile(library, "");
    assert.deepEqual(await locateOneDnn(), { library, source: "REQUANT_ONEDNN" });
    Deno.env.set("REQUANT_ONEDNN", library);
    assert.deepEqual(await locateOneDnn(), { library, source: "REQUANT_ONEDNN" });
  });
});

test("OneDnn refuses what is no library, and instructions that it does not know", async () => {
  await withVariables((folder) => ({ REQUANT_ONEDNN: folder }), async (folder) => {
    const library = join(folder, LIBRARY_FILE);
    await Deno.writeFile(library, CONTENT);
    assert.throws(() => new OneDnn(library), refused(/^Cannot open oneDNN .* run `deno task engine install`/));
  });
  await withVariables(() => ({ ONEDNN_MAX_CPU_ISA: "AVX9" }), () => {
    const message = /ONEDNN_MAX_CPU_ISA must be one of AVX2, .*: current value is "AVX9"; unset it/;
    assert.throws(() => new OneDnn("libdnnl.so.3"), refused(message));
  });
});

Deno.test({
  name: "REQUANT_ONEDNN naming another library than oneDNN, and a task that forbids AVX2, exit with 2 and one sentence",
  ignore: !ENGINES.includes("onednn"),
  async fn() {
    const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
    const doctor = async (variables: Record<string, string>) => {
      const { code, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--quiet", "--no-check", main, "engine", "doctor", "--engine", "onednn"],
        env: variables,
        stdout: "null",
        stderr: "piped",
      }).output();
      return [code, new TextDecoder().decode(stderr).trim()] as const;
    };
    const [code, text] = await doctor({ REQUANT_ONEDNN: "/no/such/library" });
    assert.deepEqual([code, text.split("\n").length], [2, 1]);
    const [other, said] = await doctor({ ONEDNN_MAX_CPU_ISA: "AVX9" });
    assert.deepEqual([other, said.split("\n").length], [2, 1]);
  },
});

test("auto means onednn where it is installed, unless a libtensorflow is named", async () => {
  await withVariables((folder) => ({ REQUANT_ONEDNN: folder, REQUANT_LIBTENSORFLOW: undefined }), async (folder) => {
    await Deno.writeFile(join(folder, LIBRARY_FILE), CONTENT);
    await Deno.writeTextFile(join(folder, "libtensorflow_cc.so.2"), "no library");
    assert.equal(await resolveEngineName("auto"), processorServes() ? "onednn" : "wasm");
    Deno.env.set("REQUANT_LIBTENSORFLOW", folder);
    assert.equal(await resolveEngineName("auto"), "tensorflow");
  });
});

Deno.test("processorServes() looks for AVX2, and believes a system that lists nothing", () => {
  const list = (flags: string) => `processor\t: 0\nflags\t\t: fpu ${flags} sse2\nbugs\t\t: avx2\n`;
  assert.deepEqual([list("avx avx2"), list("avx"), list("avx2_like"), ""].map(processorServes), [
    true,
    false,
    false,
    true,
  ]);
});
