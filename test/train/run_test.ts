import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Dataset } from "../../src/data/types.ts";
import type { Engine } from "../../src/engine/types.ts";
import { InputError } from "../../src/errors.ts";
import type { Epoch } from "../../src/record/record.ts";
import { revisionField } from "../../src/catalog/revisions.ts";
import type { RunSpec } from "../../src/record/spec.ts";
import { networkSha256, readCheckpoint, writeCheckpoint } from "../../src/checkpoint/checkpoint.ts";
import type { TrainOutcome, TrainRequest } from "../../src/record/trainer.ts";
import { trainRun } from "../../src/train/run.ts";
import type { StepInputs, StepOutputs } from "../../src/train/step.ts";
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

/** An engine whose training step number `at` leaves one value `odd` in the first tensor of a kind. */
function spoiling(
  engine: Engine,
  { kind, odd, at }: { kind: "params" | "velocity" | "state"; odd: number; at: number },
) {
  let steps = 0, spoiled = "";
  const compile = ((program) => {
    const compiled = engine.compile(program);
    const call = ((inputs: StepInputs) => {
      const outputs = compiled(inputs as never) as unknown as StepOutputs;
      if (!("learningRate" in inputs) || ++steps !== at) return outputs;
      const { training } = outputs, [path, tensor] = Object.entries(training[kind])[0]!;
      const values = Float32Array.from(tensor.dataSync()).with(1, odd), other = tf.tensor(values, tensor.shape);
      tensor.dispose();
      spoiled = `"${kind}/${path}" holds ${odd} in place 1 of ${values.length}`;
      return { ...outputs, training: { ...training, [kind]: { ...training[kind], [path]: other } } };
    }) as unknown as typeof compiled;
    return Object.assign(call, { dispose: () => compiled.dispose() });
  }) as Engine["compile"];
  return { engine: { ...engine, compile }, spoiled: () => spoiled };
}

testOnEngines(
  "trainRun() ends as diverged when a tensor is not finite, though the loss is, and names it",
  async (engine) => {
    // at the end of an epoch, at a checkpoint inside one, and when it is stopped
    const cases = [
      { kind: "params", odd: NaN, at: 4, request: {} },
      { kind: "velocity", odd: -Infinity, at: 2, request: { checkpointEverySteps: 2 } },
      { kind: "state", odd: Infinity, at: 3, request: { shouldStop: () => true } },
    ] as const;
    for (const { request, ...what } of cases) {
      const { engine: broken, spoiled } = spoiling(engine, what), epochs: Epoch[] = [];
      let asked = 0;
      const stop = "shouldStop" in request ? { shouldStop: () => ++asked === what.at } : request;
      const { outcome, folder } = await run(broken, tinySpec("fp"), {
        ...stop,
        onEpoch: (epoch) => epochs.push(epoch),
      });
      assert.deepEqual([outcome.status, outcome.reason], ["diverged", `${spoiled()} at step ${what.at} of 8`]);
      assert.deepEqual([outcome.metrics, outcome.networkSha256, epochs], [null, null, []]);
      assert.equal(await readCheckpoint(`${folder}/checkpoint.safetensors`), null);
    }
  },
);

testOnEngines("trainRun() resumes from no checkpoint that is not finite, not even from its last", async (engine) => {
  const { folder } = await run(engine, tinySpec("fp")), path = `${folder}/checkpoint.safetensors`;
  const { tensors, position } = (await readCheckpoint(path))!, name = "velocity/stem/conv/weight";
  const { shape, values } = tensors[name]!;
  await writeCheckpoint(path, { position, tensors: { ...tensors, [name]: { shape, values: values.with(7, NaN) } } });
  const { outcome } = await run(engine, tinySpec("fp"), { folder });
  const reason = `"${name}" holds NaN in place 7 of ${values.length} at step 8 of 8`;
  assert.deepEqual([outcome.status, outcome.reason, outcome.metrics], ["diverged", reason, null]);
});

testOnEngines(
  "trainRun() ends as diverged when an evaluation is not finite, though every tensor is",
  async (engine) => {
    const spec = tinySpec("fp", { recipe: { ...tinySpec("fp").recipe, learningRate: 1e-30 } });
    const folder = await Deno.makeTempDir();
    assert.equal((await run(engine, spec, { folder, shouldStop: () => true })).outcome.status, "stopped");
    const own = `${folder}/checkpoint.safetensors`, { position, tensors } = (await readCheckpoint(own))!;
    // a running variance below 0, as no training leaves it: its root is NaN at inference alone
    const variance = Object.keys(tensors).find((name) => /^state\/.*variance$/.test(name))!;
    const values = tensors[variance]!.values.map(() => -100);
    await writeCheckpoint(own, { position, tensors: { ...tensors, [variance]: { ...tensors[variance]!, values } } });
    const { outcome } = await run(engine, spec, { folder });
    assert.deepEqual([outcome.status, outcome.reason], ["diverged", "testLoss is not finite in epoch 1"]);
    assert.deepEqual(outcome.curve, []);
  },
);

testOnEngines("trainRun() refuses a batch norm that sees one value a channel, by the layer's name", async (engine) => {
  const one = { ...tinySpec("fp").recipe, batchSize: 1 }, shouldStop = () => true;
  // ResNet-8 ends with maps of a quarter of the image's side
  const dataset: Dataset = { ...DATASET, imageShape: [4, 4, 3] };
  await assert.rejects(run(engine, tinySpec("fp", { recipe: one }), { dataset }), {
    name: "InputError",
    message:
      'Cannot train batch norm "stage3/block0/norm1" as a batch has one value a channel there (1 x 1 x 1 x 64): ' +
      "take a larger batch, or larger images",
  });
  const teacherCheckpoint = `${(await run(engine, tinySpec("fp"))).folder}/checkpoint.safetensors`;
  for (const method of ["fp", "qat"]) {
    const spec = tinySpec(method, { recipe: one }), request = method === "fp" ? {} : { teacherCheckpoint };
    assert.equal((await run(engine, spec, { shouldStop, ...request })).outcome.status, "stopped");
  }
  const two = tinySpec("fp", { recipe: { ...one, batchSize: 2 } });
  assert.equal((await run(engine, two, { shouldStop, dataset })).outcome.status, "stopped");
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
