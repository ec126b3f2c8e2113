/** What docs/reproducibility.md promises: the same spec gives the same bytes, in another process, alone or beside another. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { childCommand } from "../../src/cli/services.ts";
import { statePlan } from "../../src/plan/plan.ts";
import { runPool } from "../../src/pool/pool.ts";
import { runId, type RunSpec } from "../../src/record/spec.ts";
import { readCheckpoint } from "../../src/checkpoint/checkpoint.ts";
import { ENGINES } from "../support/engines.ts";
import { tinySpec } from "../support/runs.ts";

/** A short run on made-up images, with batches, crops, batch norm and momentum in it. */
function shortSpec(engine: RunSpec["engine"], seed: number): RunSpec {
  const base = tinySpec("fp", { engine, seed });
  return {
    ...base,
    dataset: { name: "synthetic", trainExamples: 192, heldOut: 16, testExamples: 64, evaluateOn: "test" },
    recipe: { ...base.recipe, batchSize: 32 },
  };
}

/** Runs the specs in a folder of its own, `jobs` processes at once. */
async function results(specs: readonly RunSpec[], jobs: number) {
  const out = await Deno.makeTempDir({ prefix: "requant-same-" });
  try {
    const command = await childCommand({ out, engine: specs[0]!.engine });
    const { records } = await runPool(statePlan(specs, out), { out, jobs, command });
    // all tensors of the checkpoint: weights, momentum, running statistics; its other contents hold times
    const tensors = await Promise.all(
      specs.map(async (spec) =>
        (await readCheckpoint(join(out, "runs", runId(spec), "checkpoint.safetensors")))!.tensors
      ),
    );
    return { records: [...records], tensors };
  } finally {
    await Deno.remove(out, { recursive: true });
  }
}

for (const engine of ENGINES) {
  Deno.test(`a run gives the same bytes in two processes, alone and beside another run [${engine}]`, async () => {
    const spec = shortSpec(engine, 3), alone = await results([spec], 1);
    const beside = await results([shortSpec(engine, 4), spec], 2);
    const [mine] = alone.records, other = beside.records.find(({ id }) => id === mine!.id);
    assert.equal(mine!.status, "done", mine!.reason ?? "");
    assert.deepEqual(other!.curve, mine!.curve);
    assert.deepEqual(other!.metrics, mine!.metrics);
    assert.deepEqual(beside.tensors[1], alone.tensors[0]);
    assert.notDeepEqual(beside.tensors[0], alone.tensors[0], "another seed gives other weights");
  });
}
