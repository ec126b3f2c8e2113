/** What a run goes on from, and what it refuses to go on from; killed runs of every method: test/faults/resume_test.ts. */
import assert from "node:assert/strict";
import type { Engine } from "../../src/engine/types.ts";
import { runId, type RunSpec } from "../../src/record/spec.ts";
import { LostRunError, type Spent, type TrainOutcome, type TrainRequest } from "../../src/record/trainer.ts";
import { FAKE_ENVIRONMENT } from "../support/fakes/fake_trainer.ts";
import { openEngine } from "../../src/engine/mod.ts";
import { networkSha256, type Position, readCheckpoint, writeCheckpoint } from "../../src/checkpoint/checkpoint.ts";
import { trainRun } from "../../src/train/run.ts";
import { withFolder } from "../support/fakes/specs.ts";
import { testOnEngines } from "../support/engines.ts";
import { tinyDataset, tinySpec } from "../support/runs.ts";

const DATASET = tinyDataset();
/** Three epochs of four steps. */
const FP = tinySpec("fp", { recipe: { ...tinySpec("fp").recipe, epochs: 3 } });
const STUDENT = tinySpec("qat", { teacher: runId(FP) });

type Changes = Partial<TrainRequest> & { readonly spec?: RunSpec };

function train(engine: Engine, folder: string, changes: Changes = {}): Promise<TrainOutcome> {
  return trainRun({ spec: FP, dataset: DATASET, engine, teacherCheckpoint: null, folder, ...changes });
}

/** Asks for a stop after so many steps. */
function stopAfter(steps: number): { shouldStop: () => boolean } {
  let done = 0;
  return { shouldStop: () => ++done === steps };
}

function fileIn(folder: string): string {
  return `${folder}/checkpoint.safetensors`;
}

async function positionIn(folder: string): Promise<Position> {
  return (await readCheckpoint(fileIn(folder)))!.position;
}

/** Changes what a checkpoint tells of its run. */
async function edit(folder: string, change: (position: Position) => Position): Promise<void> {
  const { tensors, position } = (await readCheckpoint(fileIn(folder)))!;
  await writeCheckpoint(fileIn(folder), { tensors, position: change(position) }, { keepPrevious: false });
}

testOnEngines("a run goes on from its own data and teacher network alone", (engine) =>
  withFolder(async (folder) => {
    const [first, second, student] = ["first", "second", "student"].map((name) => `${folder}/${name}`);
    for (const path of [first!, second!, student!]) Deno.mkdirSync(path);
    await train(engine, first!);
    const other = { ...DATASET, train: { ...DATASET.train, images: DATASET.train.images.map((byte) => byte ^ 1) } };
    await train(engine, second!, { dataset: other });
    const request = { spec: STUDENT, teacherCheckpoint: fileIn(first!) };
    await train(engine, student!, { ...request, ...stopAfter(3) });

    await assert.rejects(train(engine, student!, { ...request, teacherCheckpoint: fileIn(second!) }), {
      name: "InputError",
      message:
        /^Cannot resume from the checkpoint ".*" as it began from a teacher network of SHA-256 [0-9a-f]{64} and the teacher's is now [0-9a-f]{64}: restore the teacher's folder, or delete the folder .*student to start the run from /,
    });
    await assert.rejects(train(engine, first!, { dataset: { ...DATASET, sha256: "moved" } }), {
      name: "InputError",
      message:
        /^Cannot resume from the checkpoint ".*" as it was trained on data of SHA-256 1+ and the data set is now moved: restore the data set, or delete the folder .*first to start the run from its beginning$/,
    });
    // of older code
    await edit(student!, ({ dataSha256: _, teacherSha256: _t, steps: _s, ...position }) => position);
    assert.equal((await train(engine, student!, request)).status, "done");
    const { dataSha256, steps, step } = await positionIn(student!);
    assert.deepEqual([dataSha256, steps, step], [DATASET.sha256, 8, 8]);
  }));

testOnEngines(
  "a run that was killed between its collapse and its record ends as collapsed",
  (engine) =>
    withFolder(async (folder) => {
      const spec = tinySpec("fp", { recipe: { ...FP.recipe, epochs: 60 } });
      assert.equal((await train(engine, folder, { spec, ...stopAfter(8) })).status, "stopped");
      const chance = { trainLoss: Math.log(10), trainTop1Percent: 10 };
      await edit(folder, (position) => {
        const [first, second] = position.curve, learned = { ...first!, trainLoss: 1, trainTop1Percent: 60 };
        return { ...position, curve: [learned, ...Array(50).fill({ ...second!, ...chance })] };
      });
      const { status, reason, curve } = await train(engine, folder, { spec });
      assert.deepEqual([status, reason, curve.length], [
        "diverged",
        "training collapsed to chance: loss 2.3026, accuracy 10.00 % in epoch 51",
        51,
      ]);
    }),
);

testOnEngines("checkpoints carry on what earlier processes spent", (engine) =>
  withFolder(async (folder) => {
    const took = (wallSeconds: number): () => Spent => () => ({ wallSeconds, cpuSeconds: 2 * wallSeconds });
    const first = await train(engine, folder, { ...stopAfter(3), spent: took(10) });
    assert.equal(first.spentBefore, undefined);
    const second = await train(engine, folder, { ...stopAfter(3), spent: took(5) });
    assert.deepEqual(second.spentBefore, { wallSeconds: 10, cpuSeconds: 20 });
    assert.deepEqual((await positionIn(folder)).spent, { wallSeconds: 15, cpuSeconds: 30 });
    await edit(folder, ({ spent: _, ...position }) => position);
    const last = await train(engine, folder, { spent: took(1) });
    assert.deepEqual([last.status, last.spentBefore], ["done", undefined]);
  }));

testOnEngines(
  "imagesPerSecond counts the time of every step, those after a checkpoint too",
  (engine) =>
    withFolder(async (folder) => {
      const stepMs = 200;
      /** Steps take longer, on the processor: reading their metrics then waits for nothing. */
      const slow = {
        ...engine,
        compile: ((program) => {
          const compiled = engine.compile(program);
          const timed = ((inputs) => {
            const until = performance.now() + ("learningRate" in (inputs as object) ? stepMs : 0);
            while (performance.now() < until);
            return compiled(inputs);
          }) as typeof compiled;
          return Object.assign(timed, { dispose: () => compiled.dispose() });
        }) as Engine["compile"],
      };
      const spec = tinySpec("fp", { recipe: { ...FP.recipe, epochs: 1 } });
      const { imagesPerSecond } = await train(slow, folder, { spec, checkpointEverySteps: 2 });
      assert.ok(imagesPerSecond <= 1000 * spec.recipe.batchSize / stepMs, `${imagesPerSecond}`);
    }),
);

testOnEngines("a kept epoch of a deleted training is replaced", (engine) =>
  withFolder(async (folder) => {
    const spec = tinySpec("fp", { recipe: { ...FP.recipe, epochs: 1 } }), kept = `${folder}/checkpoints`;
    await train(engine, folder, { spec, keepEpochs: true });
    const sha256 = async (path: string) => networkSha256((await readCheckpoint(path))!.tensors);
    const expected = await sha256(fileIn(folder));
    // what `runs clean` of older code left: the epoch of another training of the same spec
    await writeCheckpoint(`${kept}/epoch-1.safetensors`, { tensors: {}, position: {} }, { keepPrevious: false });
    for (const name of ["checkpoint", "checkpoint.previous"]) {
      await Deno.remove(`${folder}/${name}.safetensors`).catch(() => {});
    }
    await train(engine, folder, { spec, keepEpochs: true });
    assert.equal(await sha256(`${kept}/epoch-1.safetensors`), expected);
    assert.deepEqual([...Deno.readDirSync(kept)].map(({ name }) => name), ["epoch-1.safetensors"]);
  }));

const CLEAN = { ...FAKE_ENVIRONMENT, commit: "a".repeat(40), dirty: false }, DIRTY = { ...CLEAN, dirty: true };

Deno.test("a run keeps the environment of each of its processes in its checkpoint, each once", () =>
  withFolder(async (folder) => {
    const engine = await openEngine("wasm");
    await train(engine, folder, { environment: DIRTY, ...stopAfter(3) });
    await train(engine, folder, { environment: DIRTY, ...stopAfter(2) });
    const { status, environmentsBefore } = await train(engine, folder, { environment: CLEAN });
    assert.deepEqual([status, environmentsBefore], ["done", [DIRTY]]);
    assert.deepEqual((await positionIn(folder)).environments, [DIRTY, CLEAN]);
  }));

Deno.test("a run that was lost writes no checkpoint, and one that is further is never replaced", () =>
  withFolder(async (folder) => {
    const engine = await openEngine("wasm");
    await train(engine, folder, stopAfter(5));
    const before = await positionIn(folder);
    const lost = () => {
      throw new LostRunError(runId(FP));
    };
    await assert.rejects(train(engine, folder, { beforeWrite: lost }), LostRunError);
    assert.deepEqual(await positionIn(folder), before);
    // another process has ended the run while this one was at its beginning
    Deno.mkdirSync(`${folder}/other`);
    await train(engine, `${folder}/other`);
    const ended = Deno.readFileSync(fileIn(`${folder}/other`));
    await assert.rejects(
      train(engine, folder, { checkpointEverySteps: 1, beforeWrite: () => Deno.writeFileSync(fileIn(folder), ended) }),
      /^LostRunError: Cannot write to run [0-9a-f]{16} as its checkpoint is of step 12, and step 6 would replace it/,
    );
    assert.equal((await positionIn(folder)).step, 12);
  }));
