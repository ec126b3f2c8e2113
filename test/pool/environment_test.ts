import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  captureEnvironment,
  childEnvironment,
  environmentWithoutEngine,
  generationIn,
  HOST_FACTS,
} from "../../src/pool/environment.ts";
import { environmentSchema } from "../../src/record/environment.ts";
import { FAKE_ENGINE } from "../support/fakes/fake_trainer.ts";
import { TWO_GPUS, withNvidia } from "../support/fakes/nvidia.ts";
import { withFolder } from "../support/fakes/specs.ts";

Deno.test("captureEnvironment() holds the engine's versions beside Deno's and fits the schema", () => {
  const environment = captureEnvironment(FAKE_ENGINE);
  assert.deepEqual(environmentSchema.parse(environment), environment);
  assert.deepEqual([environment.versions.fake, environment.versions.deno], ["1.0", Deno.version.deno]);
  assert.ok(environment.os.startsWith(Deno.build.os));
  assert.equal(environmentWithoutEngine("wasm").device, "unknown");
});

Deno.test("captureEnvironment() names the GPU where NVIDIA's tool tells it, and nothing where there is no such tool", () =>
  withFolder(async (folder) => {
    const gpu = { ...FAKE_ENGINE, device: "gpu" as const };
    await withNvidia(folder, {}, () => assert.equal(captureEnvironment(gpu).versions["gpu"], undefined));
    await withNvidia(folder, { "nvidia-smi": TWO_GPUS }, () => {
      assert.equal(captureEnvironment(gpu).versions["gpu"], "NVIDIA X1, driver 580.1");
      assert.equal(captureEnvironment(FAKE_ENGINE).versions["gpu"], undefined);
      Deno.env.set("CUDA_VISIBLE_DEVICES", "1");
      assert.equal(captureEnvironment(gpu).versions["gpu"], "NVIDIA X2, driver 580.1");
    });
  }));

Deno.test("captureEnvironment() takes what it was told of checkout and GPU, and asks no program then", () => {
  const told = { commit: "a".repeat(40), dirty: true, gpu: "NVIDIA X1, driver 580.1" };
  Deno.env.set(HOST_FACTS, JSON.stringify({ ...told, generation: "family 1, model 2", problem: null }));
  try {
    const { commit, dirty, versions, cpu } = captureEnvironment({ ...FAKE_ENGINE, device: "gpu" });
    assert.deepEqual({ commit, dirty, gpu: versions["gpu"] }, told);
    assert.match(cpu, /^.+ \(family 1, model 2\), \d+ cores$/);
  } finally {
    Deno.env.delete(HOST_FACTS);
  }
});

Deno.test("generationIn() tells processors of one name apart, and knows nothing where Linux does not say", () => {
  const list = (family: number, model: number) =>
    `vendor_id\t: AuthenticAMD\ncpu family\t: ${family}\nmodel\t\t: ${model}\nmodel name\t: AMD EPYC\n`;
  assert.equal(generationIn(list(25, 1) + list(26, 2)), "family 25, model 1");
  assert.equal(generationIn(list(26, 2)), "family 26, model 2");
  for (const text of ["", "processor\t: 0\nCPU part\t: 0xd0c\n"]) assert.equal(generationIn(text), null);
});

Deno.test("childEnvironment() passes on every variable by which engines and data sets find their files", () => {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const texts = ["src/engine", "src/data", "datasets"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => Deno.readTextFileSync(join(root, folder, name)))
  );
  const names = texts.flatMap((text) => [...text.matchAll(/env\.get\("(REQUANT_\w+)"\)/g)].map(([, name]) => name!));
  assert.deepEqual([...new Set(names)].sort(), ["REQUANT_DATA", "REQUANT_LIBTENSORFLOW", "REQUANT_ONEDNN"]);
  const own = Object.fromEntries(names.map((name) => [name, "/somewhere"]));
  assert.deepEqual(childEnvironment(own), own);
});
