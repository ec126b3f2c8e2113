import assert from "node:assert/strict";
import { METHODS } from "../../src/methods/mod.ts";
import { QUANTIZERS } from "../../src/quant/mod.ts";
import { runOne } from "../../src/pool/child.ts";
import type { RunRecord } from "../../src/record/record.ts";
import { revisionField } from "../../src/catalog/revisions.ts";
import { runId, type RunSpec } from "../../src/record/spec.ts";
import { checkpointFile } from "../../src/store/store.ts";
import type { Engine } from "../../src/engine/types.ts";
import type { TrainRequest } from "../../src/record/trainer.ts";
import { readCheckpoint } from "../../src/checkpoint/checkpoint.ts";
import { trainRun } from "../../src/train/run.ts";
import { testOnEngines } from "../support/engines.ts";
import { tinyDataset, tinySpec } from "../support/runs.ts";
import { SOAK } from "./grid.ts";
import { withoutTimings } from "./records.ts";

const DATASET = tinyDataset();
/** Of 8 steps in two epochs. With the ends of epochs, checkpoints come after steps 3, 4, 6 and 8. */
const CHECKPOINT_EVERY_STEPS = 3;
/**
 * At the end of an epoch, before its checkpoint, and inside an epoch: the next process goes on from steps 3 and 6. In the
 * long form after every step, the first ones among them, which are before any checkpoint.
 */
const KILLED_AFTER_STEPS = SOAK ? [1, 2, 3, 4, 5, 6, 7, 8] : [4, 7];

class Killed extends Error {}

/**
 * Runs as the process of a run does, and ends without a word after a step, as SIGKILL does: nothing is written after
 * it, and the next process has only what is on the disk. (`kills_test.ts` kills processes.)
 */
async function run(engine: Engine, spec: RunSpec, out: string, killAfterStep?: number): Promise<RunRecord | null> {
  function train(request: TrainRequest) {
    return trainRun({
      ...request,
      checkpointEverySteps: CHECKPOINT_EVERY_STEPS,
      onProgress: ({ step }) => {
        if (step === killAfterStep) throw new Killed();
      },
    });
  }
  try {
    return await runOne(spec, out, {
      train,
      openEngine: () => Promise.resolve(engine),
      loadDataset: () => Promise.resolve(DATASET),
      emit: () => {},
      log: () => {},
      shouldStop: () => false,
    });
  } catch (error) {
    if (error instanceof Killed) return null;
    throw error;
  }
}

/** The folder of an engine, with its full-precision teacher in it. */
const teachers = new Map<string, Promise<{ out: string; teacher: string }>>();
async function teacherOf(engine: Engine): Promise<{ out: string; teacher: string }> {
  async function make() {
    const out = await Deno.makeTempDir({ prefix: "requant-" }), spec = tinySpec("fp", { engine: engine.name });
    assert.equal((await run(engine, spec, out))!.status, "done");
    return { out, teacher: runId(spec) };
  }
  teachers.set(engine.name, teachers.get(engine.name) ?? make());
  return await teachers.get(engine.name)!;
}

async function copyRun(from: string, to: string, id: string): Promise<void> {
  await Deno.mkdir(`${to}/runs/${id}`, { recursive: true });
  await Deno.copyFile(checkpointFile(from, id), checkpointFile(to, id));
}

async function unbrokenEqualsKilled(engine: Engine, spec: RunSpec): Promise<void> {
  const unbroken = await Deno.makeTempDir({ prefix: "requant-" });
  const killed = await Deno.makeTempDir({ prefix: "requant-" });
  try {
    if (spec.teacher !== null) {
      const { out, teacher } = await teacherOf(engine);
      for (const folder of [unbroken, killed]) await copyRun(out, folder, teacher);
    }
    const expected = (await run(engine, spec, unbroken))!;
    for (const step of KILLED_AFTER_STEPS) assert.equal(await run(engine, spec, killed, step), null, `step ${step}`);
    const resumed = (await run(engine, spec, killed))!;
    assert.equal(withoutTimings(resumed), withoutTimings(expected));
    const [a, b] = await Promise.all([unbroken, killed].map((out) => readCheckpoint(checkpointFile(out, runId(spec)))));
    assert.deepEqual(b!.tensors, a!.tensors);
  } finally {
    for (const folder of [unbroken, killed]) await Deno.remove(folder, { recursive: true });
  }
}

for (const { name } of METHODS) {
  testOnEngines(`a killed run ends with the record of an unbroken one: method ${name}`, async (engine) => {
    const spec = tinySpec(name, { engine: engine.name });
    const teacher = spec.teacher === null ? null : (await teacherOf(engine)).teacher;
    await unbrokenEqualsKilled(engine, { ...spec, teacher });
  });
}

for (const { name } of QUANTIZERS) {
  testOnEngines(
    `a killed run ends with the record of an unbroken one: quantizer ${name}`,
    async (engine) => {
      // A small rate, as coarse fixed ranges end at chance at a larger one.
      const { recipe, quantization, ...rest } = tinySpec("qat", { engine: engine.name });
      await unbrokenEqualsKilled(engine, {
        ...rest,
        recipe: { ...recipe, learningRate: 0.01 },
        quantization: { ...quantization!, quantizer: name, ...revisionField(name) },
        teacher: (await teacherOf(engine)).teacher,
      });
    },
  );
}
