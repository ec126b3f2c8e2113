import assert from "node:assert/strict";
import { checkpointMiB } from "../../src/plan/network_size.ts";
import { planResources } from "../../src/plan/resources.ts";
import { initialise } from "../../src/nn/initialise.ts";
import { modelNamed } from "../../src/nn/mod.ts";
import { runId } from "../../src/record/spec.ts";
import { fpSpec, studentSpec } from "../support/fakes/specs.ts";

const FP = fpSpec(), LSQ = studentSpec("lsq", FP);

Deno.test("checkpointMiB() is no less than weights, momentum and running statistics, and no more than twice that", () => {
  for (const model of ["resnet8", "resnet20", "mobilenetv2_narrow"]) {
    const { params, state } = initialise(modelNamed(model).build({ classes: 10, imageChannels: 3 }), 0);
    const bytes = (leaves: typeof params) =>
      Object.values(leaves).reduce((sum, { values }) => sum + values.byteLength, 0);
    const least = (2 * bytes(params) + bytes(state)) / 2 ** 20;
    const size = checkpointMiB({ ...FP, model });
    assert.ok(size >= least && size <= 2 * least, `${model}: ${size} MiB for ${least}`);
  }
});

Deno.test("planResources() adds memory of the runs at once and two checkpoints a run", async () => {
  const todo = [FP, LSQ].map((spec) => ({ id: runId(spec), spec }));
  const plan = { runs: todo, finished: new Map(), todo };
  const options = {
    estimate: ({ teacher }: { teacher: string | null }) =>
      teacher === null ? null : { seconds: 1, memoryMiB: 700, isScaled: false },
    jobs: 2,
    machineMemoryMiB: 8000,
    checkpointMiB: () => Promise.resolve(1.25),
  };
  const resources = await planResources(plan, options);
  assert.deepEqual(resources, {
    memoryMiB: 700,
    machineMemoryMiB: 8000,
    diskMiB: 5,
    diskMiBOf: { [runId(FP)]: 2.5, [runId(LSQ)]: 2.5 },
  });
});
