import assert from "node:assert/strict";
import { statePlan } from "../../src/plan/plan.ts";
import { cpuPlaces, gpuPlaces } from "../../src/pool/places.ts";
import { runPool } from "../../src/pool/pool.ts";
import { HOST_FACTS } from "../../src/pool/environment.ts";
import { runId } from "../../src/record/spec.ts";
import { logFile } from "../../src/store/store.ts";
import { fakeCommand, fpSpec, withFolder } from "../support/fakes/specs.ts";

const GPUS = ["GPU-aa", "GPU-bb", "GPU-cc"].map((visible, i) => ({
  visible,
  name: `NVIDIA X${i}, driver 580.1`,
  memoryMiB: 80_000,
}));

const RUN = { id: runId(fpSpec()), spec: fpSpec() };

Deno.test("gpuPlaces() gives a process the GPU that has the fewest", () => {
  const places = gpuPlaces({ gpus: GPUS, jobs: 6, most: 9, variables: { CUDA_MPS_PIPE_DIRECTORY: "/mps" } });
  assert.equal(places.limit, 6);
  const taken = Array.from({ length: 6 }, () => places.take(RUN));
  const visible = (place: typeof taken[number]) => place.variables["CUDA_VISIBLE_DEVICES"];
  assert.deepEqual(taken.map(visible), ["GPU-aa", "GPU-bb", "GPU-cc", "GPU-aa", "GPU-bb", "GPU-cc"]);
  assert.ok(taken.every(({ variables }) => variables["CUDA_MPS_PIPE_DIRECTORY"] === "/mps"));
  taken[1]!.release();
  taken[1]!.release(); // counts once
  assert.equal(visible(places.take(RUN)), "GPU-bb");
  assert.equal(visible(places.take(RUN)), "GPU-aa");
});

Deno.test("gpuPlaces() names no GPU where none is known, and cpuPlaces() never does", () => {
  const unknown = gpuPlaces({ gpus: [{ visible: null, name: null, memoryMiB: null }], jobs: "auto", most: 4 });
  for (const places of [unknown, cpuPlaces(1)]) {
    assert.equal(places.limit, 1);
    const { variables, gpu } = places.take(RUN);
    assert.deepEqual([variables, gpu], [{}, null]);
  }
});

Deno.test("runPool() runs one pool over several GPUs, each process told its own", () =>
  withFolder(async (out) => {
    const specs = [0, 1, 2].map((seed) => fpSpec({ arm: "tell", seed }));
    const places = gpuPlaces({ gpus: GPUS, jobs: 3, most: 9 });
    await runPool(statePlan(specs, out), { out, jobs: places, command: fakeCommand(["tell=tellEnvironment"]) });
    const told = specs.map((spec) => {
      const [, text] = /environment: (.*)/.exec(Deno.readTextFileSync(logFile(out, runId(spec))))!;
      const variables = JSON.parse(text!) as Record<string, string>;
      return [variables["CUDA_VISIBLE_DEVICES"], JSON.parse(variables[HOST_FACTS]!).gpu];
    });
    assert.deepEqual(told.sort(), GPUS.map(({ visible, name }) => [visible, name]));
  }));

Deno.test("runPool() starts more runs as soon as there are more places", () =>
  withFolder(async (out) => {
    let grow = (_line: string): void => {}, limit = 1;
    const one = cpuPlaces(1);
    const places = {
      get limit() {
        return limit;
      },
      take: one.take,
      onChange: (listener: typeof grow) => void (grow = listener),
    };
    const specs = [0, 1].map((seed) => fpSpec({ arm: "slow", seed })), command = fakeCommand(["slow=steps"]);
    const seen: string[] = [];
    await runPool(statePlan(specs, out), {
      ...{ out, jobs: places, command },
      onEvent({ type }) {
        if (type !== "message") seen.push(type);
        else if (limit === 1) grow(String(limit = 2));
      },
    });
    assert.deepEqual(seen, ["started", "started", "ended", "ended"]);
  }));
