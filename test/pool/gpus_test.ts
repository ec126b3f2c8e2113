import assert from "node:assert/strict";
import { join } from "node:path";
import { usedMiB, visibleGpus } from "../../src/pool/gpus.ts";
import { startMps } from "../../src/pool/mps.ts";
import { mpsScript, TWO_GPUS, withNvidia } from "../support/fakes/nvidia.ts";
import { withFolder } from "../support/fakes/specs.ts";

const FIRST = { visible: "GPU-aa11", name: "NVIDIA X1, driver 580.1", memoryMiB: 81920 };
const SECOND = { visible: "GPU-bb22", name: "NVIDIA X2, driver 580.1", memoryMiB: 40960 };

Deno.test("visibleGpus() lists what CUDA_VISIBLE_DEVICES leaves, in its order and words", () =>
  withFolder((folder) =>
    withNvidia(folder, { "nvidia-smi": TWO_GPUS }, () => {
      assert.deepEqual(visibleGpus(), [FIRST, SECOND]);
      const cases = [
        ["1", [{ ...SECOND, visible: "1" }]],
        ["GPU-bb, 0", [{ ...SECOND, visible: "GPU-bb" }, { ...FIRST, visible: "0" }]],
        ["0,-1,1", [{ ...FIRST, visible: "0" }]],
        ["", []],
        ["-1", []],
        ["MIG-cc", [{ visible: "MIG-cc", name: null, memoryMiB: null }]],
      ] as const;
      for (const [variable, expected] of cases) {
        Deno.env.set("CUDA_VISIBLE_DEVICES", variable);
        assert.deepEqual(visibleGpus(), expected, variable);
      }
      assert.deepEqual([FIRST, { ...SECOND, visible: "1" }].map(usedMiB), [1000, 2000]);
    })
  ));

Deno.test("visibleGpus() gives one GPU without a name where NVIDIA's tool is missing or broken", () =>
  withFolder(async (folder) => {
    const unknown = { visible: null, name: null, memoryMiB: null };
    for (const scripts of [{}, { "nvidia-smi": "echo 'No devices were found'; exit 6" }]) {
      await withNvidia(folder, scripts, () => {
        assert.deepEqual(visibleGpus(), [unknown]);
        assert.equal(usedMiB(unknown), null);
      });
    }
  }));

Deno.test("startMps() starts a daemon in a folder of its own and stops it", () =>
  withFolder((folder) =>
    withNvidia(folder, { "nvidia-cuda-mps-control": mpsScript(folder) }, async () => {
      Deno.env.set("CUDA_VISIBLE_DEVICES", "1"); // not for the daemon, which would number its GPUs anew
      const { variables, how, stop } = await startMps(), pipe = variables["CUDA_MPS_PIPE_DIRECTORY"]!;
      assert.match(how, /^by NVIDIA's MPS, started here and stopped at the end$/);
      assert.ok(Deno.statSync(join(pipe, "running")).isFile);
      await stop();
      await assert.rejects(Deno.stat(pipe), Deno.errors.NotFound);
      const log = Deno.readTextFileSync(join(folder, "log")).trim().split("\n");
      assert.deepEqual(log, [`start ${pipe}`, "get_server_list", "quit"]);
    })
  ));

Deno.test("startMps() uses a daemon that runs, and leaves it running", () =>
  withFolder((folder) =>
    withNvidia(folder, { "nvidia-cuda-mps-control": mpsScript(folder) }, async () => {
      Deno.mkdirSync(join(folder, "default"));
      Deno.writeTextFileSync(join(folder, "default", "running"), "");
      const { variables, how, stop } = await startMps();
      await stop();
      assert.deepEqual([variables, how], [{}, "by NVIDIA's MPS, which was running"]);
      assert.equal(Deno.readTextFileSync(join(folder, "log")), "get_server_list\n");
    })
  ));

Deno.test("startMps() says why there is none: not installed, refused, or ended at once", () =>
  withFolder(async (folder) => {
    const turns = "in turns, as NVIDIA's MPS could not be started: nvidia-cuda-mps-control ";
    const cases = [
      [undefined, "is not installed"],
      ["exit 3", "ended with code 3"],
      ['[ "$1" = -d ]', "ended with code 1"],
    ] as const;
    for (const [script, reason] of cases) {
      const scripts = script === undefined ? {} : { "nvidia-cuda-mps-control": script };
      await withNvidia(folder, scripts, async () => {
        const { variables, how } = await startMps();
        assert.deepEqual([variables, how], [{}, turns + reason]);
      });
    }
  }));
