/** XLA, the compiler of the GPU path, tried on the CPU: the whole training step of every method. */
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { diagnose } from "../../src/engine/doctor.ts";
import { openEngine } from "../../src/engine/mod.ts";
import type { Engine } from "../../src/engine/types.ts";
import { createMethod, METHODS } from "../../src/methods/mod.ts";
import { initialise } from "../../src/nn/initialise.ts";
import { modelNamed } from "../../src/nn/mod.ts";
import { quantizationOf } from "../../src/train/quantization.ts";
import { startTensors } from "../../src/train/setup.ts";
import { type StepInputs, type StepOutputs, trainingStep } from "../../src/train/step.ts";
import { stepInputs } from "../../src/train/step_inputs.ts";
import { toTensors } from "../../src/train/tensors.ts";
import { ENGINES } from "../support/engines.ts";
import { useXlaFlags } from "../support/xla.ts";
import { relativeDistance } from "../support/golden.ts";
import { tinyDataset, tinySpec } from "../support/runs.ts";

/** Batch of the steps. */
const BATCH = 4;

/**
 * Of the start and the batch. Of the four that were tried one (seed 3) has a value so near a rounding edge in its second
 * view that the two forms round it apart, and `qat_two_view` alone, which sees that view in its gradient, then differs.
 */
const SEED = 1;

/**
 * Relative distances allowed, a few times the largest seen. The step size of an input has a gradient that is what is
 * left of a sum which cancels, so float error weighs more there.
 */
const TOLERANCE = { loss: 4e-6, tensor: 1e-4, inputStepSize: 5e-3 } as const;

/** Options of methods whose defaults leave a kernel out of the step: noise in every layer. */
const OPTIONS: Readonly<Record<string, Record<string, number>>> = { fpq: { probability: 1 } };

/** A step of `method` on ResNet-8, plain and by XLA, from the same start. */
function bothSteps(engine: Engine, name: string): { plain: StepOutputs; xla: StepOutputs } {
  const method = createMethod({ name, options: OPTIONS[name] ?? {} }), dataset = tinyDataset();
  const tiny = tinySpec(name, { method: { name, options: OPTIONS[name] ?? {} } });
  const spec = { ...tiny, seed: SEED, recipe: { ...tiny.recipe, batchSize: BATCH } };
  const model = modelNamed(spec.model).build({ classes: dataset.classes, imageChannels: dataset.imageShape[2] });
  const quantization = quantizationOf(model, spec.quantization);
  const all = Uint32Array.from({ length: dataset.train.count }, (_, i) => i), half = all.length / 2;
  const indices = all.subarray(0, half), unlabelled = all.subarray(half);
  const training = startTensors(engine, {
    spec,
    model,
    method,
    quantization,
    dataset,
    indices,
    teacher: null,
  });
  const network = initialise(model, 1);
  const teacher = method.usesTeacher
    ? { params: toTensors(network.params), state: toTensors(network.state) }
    : { params: {}, state: {} };
  // a step after every warm-up, so that nothing is weighted by 0
  const stepsPerEpoch = Math.floor(half / BATCH), source = { spec, dataset, model, method, indices, unlabelled };
  const inputs = stepInputs({ ...source, stepsPerEpoch }, stepsPerEpoch + 1, { training, teacher });
  const program = trainingStep({ ...spec.recipe, model, quantization, method, scale: dataset });
  const [plain, xla] = [false, true].map((xla) => {
    const compiled = engine.compile<StepInputs, StepOutputs>(program, { xla }), outputs = compiled(inputs);
    compiled.dispose();
    return outputs;
  });
  tf.dispose(inputs as unknown as Tensor[]);
  return { plain: plain!, xla: xla! };
}

/** Every tensor of a step's outputs by kind and path. */
function leaves({ training, metrics }: StepOutputs): [string, Tensor][] {
  return Object.entries({ ...training, metrics }).flatMap(([kind, tensors]) =>
    Object.entries(tensors).map(([path, tensor]): [string, Tensor] => [`${kind}/${path}`, tensor])
  );
}

if (ENGINES.includes("tensorflow")) {
  useXlaFlags();

  Deno.test("every kernel gives by XLA what the reference gives", async () => {
    const engine = await openEngine("tensorflow");
    const byXla: Engine = {
      ...engine,
      compile: (program, options) => engine.compile(program, { ...options, xla: true }),
    };
    const { checks } = await diagnose(byXla, { speed: false });
    assert.deepEqual(checks.filter(({ ok }) => !ok), []);
    assert.ok(checks.some(({ kernel }) => kernel.startsWith("UniformPerturbation")));
  });

  for (const { name } of METHODS) {
    Deno.test(`the training step of ${name} gives by XLA what it gives without`, async () => {
      const { plain, xla } = bothSteps(await openEngine("tensorflow"), name);
      const expected = leaves(plain), actual = new Map(leaves(xla));
      assert.equal(actual.size, expected.length);
      for (const [path, tensor] of expected) {
        const distance = relativeDistance(actual.get(path)!.dataSync(), tensor.dataSync());
        const allowed = path === "metrics/loss"
          ? TOLERANCE.loss
          : /input_quantizer\/step_size$/.test(path)
          ? TOLERANCE.inputStepSize
          : TOLERANCE.tensor;
        assert.ok(distance <= allowed, `${path}: ${distance}`);
      }
      tf.dispose([plain, xla] as unknown as Tensor[]);
    });
  }
}
