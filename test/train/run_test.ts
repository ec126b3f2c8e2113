import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Engine } from "../../src/engine/types.ts";
import { InputError } from "../../src/errors.ts";
import type { Epoch } from "../../src/record/record.ts";
import { revisionField } from "../../src/catalog/revisions.ts";
import type { RunSpec } from "../../src/record/spec.ts";
import { readCheckpoint } from "../../src/checkpoint/checkpoint.ts";
import { networkSha256 } from "../../src/checkpoint/network_digest.ts";
import { collapsed } from "../../src/train/position.ts";
import type { TrainOutcome, TrainRequest } from "../../src/record/trainer.ts";
import { trainRun } from "../../src/train/run.ts";
import { testOnEngines } from "../support/engines.ts";
import { tinyDataset, tinySpec } from "../support/runs.ts";

const DATASET = tinyDataset();

interface Ran {
  readonly folder: string;
  readonly outcome: TrainOutcome;
}

async function run(
  engine: Engine,
  spec: RunSpec,
  options: Partial<TrainRequest> & { folder?: string } = {},
): Promise<Ran> {
  const folder = options.folder ?? await Deno.makeTempDir();
  const outcome = await trainRun({ spec, dataset: DATASET, engine, teacherCheckpoint: null, ...options, folder });
  return { folder, outcome };
}

/** A full-precision run of two epochs, once for each engine: the teacher of the others. */
const teachers = new Map<string, Promise<string>>();
async function teacherOf(engine: Engine): Promise<string> {
  if (!teachers.has(engine.name)) {
    teachers.set(engine.name, run(engine, tinySpec("fp")).then(({ folder }) => `${folder}/checkpoint.safetensors`));
  }
  return await teachers.get(engine.name)!;
}

/** What must be equal between two runs: every tensor and the curve; timings are not compared. */
async function result({ folder, outcome }: Ran) {
  const { tensors } = (await readCheckpoint(`${folder}/checkpoint.safetensors`))!;
  return { tensors, curve: outcome.curve, metrics: outcome.metrics, status: outcome.status };
}

testOnEngines("trainRun() lowers the loss in full precision and reports its last epoch", async (engine) => {
  const spec = tinySpec("fp", { recipe: { ...tinySpec("fp").recipe, epochs: 6 } });
  const { outcome } = await run(engine, spec);
  assert.equal(outcome.status, "done");
  assert.equal(outcome.curve.length, 6);
  const first = outcome.curve[0]!, last = outcome.curve[5]!;
  assert.ok(last.trainLoss < 0.7 * first.trainLoss, `${first.trainLoss} -> ${last.trainLoss}`);
  assert.equal(outcome.metrics!["top1Percent"], last.testTop1Percent);
});

// killed runs of every method and quantizer: test/faults/resume_test.ts
testOnEngines("trainRun() gives the same bytes twice, and when asked to stop and resumed", async (engine) => {
  const spec = tinySpec("cr"), teacherCheckpoint = await teacherOf(engine);
  const unbroken = await run(engine, spec, { teacherCheckpoint });
  const again = await run(engine, spec, { teacherCheckpoint });
  assert.deepEqual(await result(again), await result(unbroken));

  let steps = 0;
  const stopped = await run(engine, spec, { teacherCheckpoint, shouldStop: () => ++steps === 3 });
  assert.equal(stopped.outcome.status, "stopped");
  const resumed = await run(engine, spec, { teacherCheckpoint, folder: stopped.folder });
  assert.deepEqual(await result(resumed), await result(unbroken));
});

testOnEngines(
  "trainRun() tells the digest of its network, and of its teacher's as the teacher told it",
  async (engine) => {
    const teacherCheckpoint = await teacherOf(engine), teacher = (await readCheckpoint(teacherCheckpoint))!;
    const { folder, outcome } = await run(engine, tinySpec("qat"), { teacherCheckpoint });
    assert.equal(outcome.teacherSha256, networkSha256(teacher.tensors));
    const { tensors } = (await readCheckpoint(`${folder}/checkpoint.safetensors`))!;
    assert.equal(outcome.networkSha256, networkSha256(tensors));
    assert.match(outcome.networkSha256!, /^[0-9a-f]{64}$/);
    assert.notEqual(outcome.networkSha256, outcome.teacherSha256);
    const withoutMomentum = Object.entries(tensors).filter(([path]) => !path.startsWith("velocity/"));
    assert.equal(networkSha256(Object.fromEntries(withoutMomentum.reverse())), outcome.networkSha256);
    const [path, { shape, values }] = withoutMomentum[0]!, moved = values.slice();
    moved[0]! += 1e-3;
    assert.notEqual(networkSha256({ ...tensors, [path]: { shape, values: moved } }), outcome.networkSha256);
  },
);

testOnEngines("trainRun() on the asymmetric quantizer keeps its zero points", async (engine) => {
  const base = tinySpec("qat"),
    quantization = { ...base.quantization!, quantizer: "lsq_asymmetric", ...revisionField("lsq_asymmetric") };
  const { folder, outcome } = await run(engine, { ...base, quantization }, {
    teacherCheckpoint: await teacherOf(engine),
  });
  assert.equal(outcome.status, "done");
  const { tensors } = (await readCheckpoint(`${folder}/checkpoint.safetensors`))!;
  const zeros = tensors["state/stem/conv/weight_quantizer/zero_point"]!.values;
  assert.equal(zeros.length, 16);
  assert.ok(zeros.every((z) => Number.isInteger(z) && z >= 0 && z <= 255));
});

testOnEngines("trainRun() of qat_ema trains LSQ's student to the bit and evaluates its average", async (engine) => {
  const teacherCheckpoint = await teacherOf(engine);
  const plain = await result(await run(engine, tinySpec("qat"), { teacherCheckpoint }));
  const averaged = await result(await run(engine, tinySpec("qat_ema"), { teacherCheckpoint }));
  for (const [path, { values }] of Object.entries(plain.tensors)) {
    assert.deepEqual(averaged.tensors[path]!.values, values);
  }
  assert.equal(averaged.curve[1]!.trainLoss, plain.curve[1]!.trainLoss);
  assert.notEqual(averaged.curve[1]!.testLoss, plain.curve[1]!.testLoss);
  // alpha 0: the average is the student itself
  const spec = { ...tinySpec("qat_ema"), method: { name: "qat_ema", options: { alpha: 0 } } };
  const same = await result(await run(engine, spec, { teacherCheckpoint }));
  assert.deepEqual(same.curve, plain.curve);
});

testOnEngines("trainRun() of qat_ema on the asymmetric quantizer passes the check of levels", async (engine) => {
  const base = tinySpec("qat_ema"),
    quantization = { ...base.quantization!, quantizer: "lsq_asymmetric", ...revisionField("lsq_asymmetric") };
  const ran = await run(engine, { ...base, quantization }, { teacherCheckpoint: await teacherOf(engine) });
  const { tensors, status } = await result(ran);
  assert.equal(status, "done");
  const path = "state/stem/conv/weight_quantizer/zero_point";
  assert.deepEqual(tensors[`memory/average/${path}`]!.values, tensors[path]!.values);
});

testOnEngines("trainRun() leaks no tensor over 200 steps", async (engine) => {
  const spec = tinySpec("mec", { recipe: { ...tinySpec("mec").recipe, epochs: 50, learningRate: 0.001 } }); // 4 steps an epoch
  const counts: number[] = [], before = tf.memory().numTensors;
  const { outcome } = await run(engine, spec, {
    teacherCheckpoint: await teacherOf(engine),
    onProgress: ({ step }) => {
      if (step === 20 || step === 200) counts.push(tf.memory().numTensors);
    },
  });
  assert.equal(outcome.status, "done");
  assert.equal(counts[1], counts[0]);
  assert.equal(tf.memory().numTensors, before);
});

testOnEngines("trainRun() ends as diverged when the loss is not a number", async (engine) => {
  const spec = tinySpec("fp", { recipe: { ...tinySpec("fp").recipe, learningRate: 1e30, warmupEpochs: 0 } });
  const { outcome } = await run(engine, spec);
  assert.equal(outcome.status, "diverged");
  assert.match(outcome.reason!, /^the training loss is (NaN|Infinity) at step \d of 8$/);
  assert.equal(outcome.metrics, null);
});

testOnEngines("trainRun() refuses another run's checkpoint, and a method without its quantizer", async (engine) => {
  const { folder } = await run(engine, tinySpec("fp"));
  await assert.rejects(() => run(engine, tinySpec("fp", { seed: 4 }), { folder }), (error: Error) => {
    assert.ok(error instanceof InputError);
    assert.match(
      error.message,
      /^Cannot resume from the checkpoint ".*" as it is of run [0-9a-f]{16}, not of [0-9a-f]{16}: delete the folder /,
    );
    return true;
  });
  await assert.rejects(() => run(engine, tinySpec("qat", { quantization: null })), {
    message: "Cannot run method qat without a quantizer: give the run bits and a quantizer",
  });
});

Deno.test("collapsed() is true after two epochs at chance only", () => {
  const epoch = (trainLoss: number, trainTop1Percent: number, metrics = {}) =>
    ({ trainLoss, trainTop1Percent, metrics }) as Epoch;
  assert.equal(collapsed([epoch(2.31, 10)], 10), false);
  assert.equal(collapsed([epoch(2.31, 10), epoch(2.3026, 9.9)], 10), true);
  assert.equal(collapsed([epoch(2.31, 10), epoch(2.25, 14)], 10), false);
  // MEC subtracts a coding length from its cross-entropy: uniform logits have a lower loss than ln 10
  const [coded, learned] = [epoch(1.9, 10, { taskLoss: 2.3026 }), epoch(2.4, 10, { taskLoss: 2.1 })];
  assert.deepEqual([collapsed([coded, coded], 10), collapsed([learned, learned], 10)], [true, false]);
});

testOnEngines("trainRun() refuses a spec of another revision of its quantizer", async (engine) => {
  const base = tinySpec("qat"), quantization = { ...base.quantization!, quantizer: "lsq_asymmetric" };
  await assert.rejects(
    run(engine, { ...base, quantization }),
    new InputError(
      "Cannot train with revision 1 of quantizer lsq_asymmetric as this version of the suite has revision 2: " +
        "plan the run anew, or check out the commit of that revision",
    ),
  );
});
