import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { childRights } from "../../src/cli/services.ts";
import { InputError } from "../../src/errors.ts";
import { statePlan } from "../../src/plan/plan.ts";
import { runPool } from "../../src/pool/pool.ts";
import { childEnvironment } from "../../src/pool/environment.ts";
import { parseRunJob, runJobId } from "../../src/queue/jobs.ts";
import { runId } from "../../src/record/spec.ts";
import { checkpointFile, openRun, readRecord, runFolder, specFile } from "../../src/store/store.ts";
import { fakeCommand, fpSpec, studentSpec, withFolder } from "../support/fakes/specs.ts";

const OUTSIDE = ["../../x", "..", ".", "", "/etc/passwd", "0123456789abcde", "0123456789ABCDEF", "0123456789abcdef/.."];

for (const id of OUTSIDE) {
  Deno.test(`no folder is made of the run id "${id}"`, () => {
    for (const path of [runFolder, checkpointFile, specFile, readRecord]) {
      assert.throws(() => path("/out", id), {
        name: "InputError",
        message: `Cannot use run id "${id}" as it must be 16 hex digits: take one of \`deno task runs list\``,
      });
    }
  });
}

Deno.test("a spec whose teacher is a path is refused by plan, run and queue, and nothing outside is read", () =>
  withFolder(async (folder) => {
    const out = join(folder, "out");
    Deno.writeTextFileSync(join(folder, "checkpoint.safetensors"), "another's secret");
    const spec = { ...studentSpec("lsq", fpSpec()), teacher: "../.." };
    assert.throws(() => statePlan([spec], out), InputError);
    assert.throws(() => parseRunJob({ schema: 1, spec }, runJobId(runId(spec))), {
      message: `Cannot read the run spec in job ${
        runJobId(runId(spec))
      } as teacher: must be 16 hex digits, the id of a run`,
    });
    assert.throws(() => openRun(out, spec), /^InputError: Cannot read the run spec in the plan as teacher: must be 16/);
    Deno.mkdirSync(runFolder(out, runId(spec)), { recursive: true });
    Deno.writeTextFileSync(specFile(out, runId(spec)), JSON.stringify(spec));
    const child = await new Deno.Command(Deno.execPath(), {
      args: [...fakeCommand().slice(1), "--spec", specFile(out, runId(spec)), "--out", out],
      stdout: "piped",
      stderr: "null",
    }).output();
    assert.equal(child.code, 2);
    assert.match(
      new TextDecoder().decode(child.stdout),
      /as teacher: must be 16 hex digits, the id of a run/,
    );
  }));

for (const name of ["$(touch RUN)", "`touch RUN`", "../../RUN", "a\x1b[2J", "a\nb", "a|b", "", "x".repeat(101)]) {
  Deno.test(`a spec with the name ${JSON.stringify(name.slice(0, 20))} is refused, and nothing is run or written`, () =>
    withFolder(async (folder) => {
      const out = join(folder, "out"), { method, dataset, quantization } = studentSpec("lsq", fpSpec());
      const specs = [
        fpSpec({ arm: name }),
        fpSpec({ model: name }),
        fpSpec({ method: { ...method, name } }),
        fpSpec({ dataset: { ...dataset, name } }),
        fpSpec({ quantization: { ...quantization!, quantizer: name } }),
      ];
      for (const spec of specs) {
        const options = { out, jobs: 1, command: fakeCommand() };
        await assert.rejects(runPool(statePlan([spec], out), options), /: must be made of letters, digits and _ \. @/);
        assert.throws(() => parseRunJob({ schema: 1, spec }, runJobId(runId(spec))), InputError);
        assert.throws(() => Deno.statSync(join(runFolder(out, runId(spec)), "spec.json")), Deno.errors.NotFound);
      }
      assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["out"]);
    }));
}

/** What the process of a run may do: each try's outcome by name. */
async function tryAll(out: string, library: string | null): Promise<Record<string, string>> {
  const probe = fileURLToPath(new URL("../support/fakes/rights_main.ts", import.meta.url));
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", ...childRights({ out, library }), probe, out],
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = new TextDecoder().decode(stdout);
  assert.ok(text.startsWith("{"), text + new TextDecoder().decode(stderr));
  return JSON.parse(text);
}

Deno.test("the process of a run may read CUDA's companions of its library, which XLA assembles kernels with", () =>
  withFolder((folder) => {
    const library = join(folder, "tensorflow", "libtensorflow_cc.so.2"), nvidia = join(folder, "nvidia");
    const readable = () =>
      childRights({ out: folder, library }).find((flag) => flag.startsWith("--allow-read="))!.split(",");
    assert.ok(!readable().includes(nvidia));
    Deno.mkdirSync(join(nvidia, "cuda_runtime"), { recursive: true });
    assert.ok(readable().includes(nvidia));
    return Promise.resolve();
  }));

Deno.test("the process of a run may write only its grid's folder, and has no network and no other program", () =>
  withFolder(async (folder) => {
    const out = join(folder, "out");
    Deno.mkdirSync(out);
    const wasm = await tryAll(out, null);
    assert.deepEqual(wasm, {
      writeInside: "done",
      readInside: "done",
      writeBeside: "refused",
      writeSource: "refused",
      readPasswords: "refused",
      connect: "refused",
      git: "refused",
      shell: "refused",
      nativeCode: "refused",
    });
    // Native code is what engine tensorflow is: the rights of its process bind only what goes through Deno.
    assert.throws(() => childRights({ out: "/a,/etc", library: null }), {
      name: "InputError",
      message: 'Cannot use the folder "/a,/etc" as its name has a comma: choose one without',
    });
    assert.deepEqual(await tryAll(out, "/usr/lib/libtensorflow_cc.so.2"), { ...wasm, nativeCode: "done" });
  }));

Deno.test("no password, token or key of the environment reaches the process of a run", () =>
  withFolder(async (out) => {
    const secrets = {
      REQUANT_REDIS_PASSWORD: "pw1",
      AWS_SECRET_ACCESS_KEY: "pw2",
      AWS_ACCESS_KEY_ID: "pw3",
      AWS_SESSION_TOKEN: "pw4",
      GITHUB_TOKEN: "pw5",
      GITHUB_PAT: "pw6",
      MYSQL_PWD: "pw7",
      NPM_CONFIG__AUTH: "pw8",
      TF_TOKEN_app_terraform_io: "pw9",
      TF_VAR_db_pass: "pw10",
      NVIDIA_API_KEY: "pw11",
      REQUANT_S3_ENDPOINT: "pw12",
      HTTPS_PROXY: "http://me:pw13@proxy",
      DATABASE_URL: "postgres://me:pw14@db",
      LC_PASS: "pw15",
    };
    const kept = {
      ...{ PATH: "/bin", HOME: "/root", REQUANT_CACHE: "/cache", CUDA_VISIBLE_DEVICES: "0", LC_ALL: "C" },
      ...{ TF_ENABLE_ONEDNN_OPTS: "1", TF_FORCE_GPU_ALLOW_GROWTH: "true", XLA_FLAGS: "--xla", OMP_NUM_THREADS: "1" },
      ...{ NVIDIA_TF32_OVERRIDE: "0", LD_LIBRARY_PATH: "/lib", REQUANT_DATA: "/data", SystemRoot: "C:\\Windows" },
    };
    assert.deepEqual(childEnvironment({ ...secrets, ...kept }), kept);
    const before = Object.keys(secrets).map((name) => [name, Deno.env.get(name)] as const);
    for (const [name, value] of Object.entries(secrets)) Deno.env.set(name, value);
    try {
      const { records } = await runPool(statePlan([fpSpec({ arm: "tell" })], out), {
        out,
        jobs: 1,
        command: fakeCommand(["tell=tellEnvironment"]),
      });
      assert.equal(records[0]!.status, "done");
    } finally {
      for (const [name, value] of before) value === undefined ? Deno.env.delete(name) : Deno.env.set(name, value);
    }
    const folder = runFolder(out, runId(fpSpec({ arm: "tell" })));
    const told = Deno.readTextFileSync(join(folder, "log.txt"));
    assert.match(told, /environment: .*PATH/);
    for (const { name } of Deno.readDirSync(folder)) {
      const text = Deno.readTextFileSync(join(folder, name));
      for (const value of Object.values(secrets)) assert.ok(!text.includes(value), `${name} holds ${value}`);
    }
  }));
