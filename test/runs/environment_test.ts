import assert from "node:assert/strict";
import { captureEnvironment, environmentWithoutEngine, gitState } from "../../src/runs/environment.ts";
import { environmentSchema } from "../../src/runs/record.ts";
import { FAKE_ENGINE } from "./fakes/fake_trainer.ts";
import { withFolder } from "./fakes/specs.ts";

async function git(folder: string, ...args: string[]): Promise<void> {
  const config = ["-c", "user.name=test", "-c", "user.email=test@example.org"];
  const { success } = await new Deno.Command("git", { args: ["-C", folder, ...config, ...args], stdout: "null" })
    .output();
  assert.ok(success, `git ${args.join(" ")}`);
}

Deno.test("gitState() tells the commit and whether the checkout differs from it", () =>
  withFolder(async (folder) => {
    assert.deepEqual(await gitState(folder), { commit: null, dirty: null });
    await git(folder, "init", "--quiet");
    await git(folder, "commit", "--quiet", "--allow-empty", "-m", "first");
    const clean = await gitState(folder);
    assert.match(clean.commit!, /^[0-9a-f]{40}$/);
    assert.equal(clean.dirty, false);
    Deno.writeTextFileSync(`${folder}/new.ts`, "");
    assert.deepEqual(await gitState(folder), { commit: clean.commit, dirty: true });
  }));

Deno.test("captureEnvironment() holds the engine's versions beside Deno's and fits the schema", async () => {
  const environment = await captureEnvironment(FAKE_ENGINE);
  assert.deepEqual(environmentSchema.parse(environment), environment);
  assert.deepEqual([environment.versions.fake, environment.versions.deno], ["1.0", Deno.version.deno]);
  assert.ok(environment.os.startsWith(Deno.build.os));
  assert.equal((await environmentWithoutEngine("wasm")).device, "unknown");
});

Deno.test("captureEnvironment() names the GPU where NVIDIA's tool tells it, and nothing where there is no such tool", () =>
  withFolder(async (folder) => {
    const gpu = { ...FAKE_ENGINE, device: "gpu" as const }, path = Deno.env.get("PATH")!;
    try {
      Deno.env.set("PATH", folder);
      assert.equal((await captureEnvironment(gpu)).versions["gpu"], undefined);
      Deno.writeTextFileSync(`${folder}/nvidia-smi`, "#!/bin/sh\necho 'NVIDIA X1, 580.1'\necho 'NVIDIA X2, 580.1'\n", {
        mode: 0o755,
      });
      assert.equal((await captureEnvironment(gpu)).versions["gpu"], "NVIDIA X1, driver 580.1");
      assert.equal((await captureEnvironment(FAKE_ENGINE)).versions["gpu"], undefined);
    } finally {
      Deno.env.set("PATH", path);
    }
  }));
