import assert from "node:assert/strict";
import type { Engine } from "../../src/engine/types.ts";
import { runId, type RunSpec } from "../../src/record/spec.ts";
import { readCheckpoint } from "../../src/checkpoint/checkpoint.ts";
import { trainRun } from "../../src/train/run.ts";
import { testOnEngines } from "../support/engines.ts";
import { tinyDataset, tinySpec } from "../support/runs.ts";

const DATASET = tinyDataset();

/** One epoch, 4 steps. */
function specOf(name: string, options: Record<string, number | string> = {}): RunSpec {
  const base = tinySpec(name === "fp" ? "fp" : "qat"), recipe = { ...base.recipe, epochs: 1 };
  return { ...base, method: { name, options }, recipe, teacher: name === "fp" ? null : runId(specOf("fp")) };
}

interface Ran {
  readonly folder: string;
  readonly status: string;
  readonly metrics: Readonly<Record<string, number>> | null;
}

async function run(
  engine: Engine,
  spec: RunSpec,
  options: { stopAfter?: number; folder?: string; teacherCheckpoint: string | null },
): Promise<Ran> {
  const folder = options.folder ?? await Deno.makeTempDir();
  let steps = 0;
  const { status, metrics } = await trainRun({
    spec,
    dataset: DATASET,
    engine,
    folder,
    teacherCheckpoint: options.teacherCheckpoint,
    shouldStop: () => ++steps === options.stopAfter,
  });
  return { folder, status, metrics };
}

async function tensorsOf({ folder }: Ran) {
  return (await readCheckpoint(`${folder}/checkpoint.safetensors`))!.tensors;
}

const teachers = new Map<string, Promise<Ran>>();
async function teacherOf(engine: Engine): Promise<{ teacherCheckpoint: string }> {
  if (!teachers.has(engine.name)) {
    teachers.set(engine.name, run(engine, specOf("fp"), { teacherCheckpoint: null }));
  }
  return { teacherCheckpoint: `${(await teachers.get(engine.name)!).folder}/checkpoint.safetensors` };
}

const CASES: readonly { name: string; options: Record<string, number | string>; keeps: string[]; gives: string[] }[] = [
  {
    name: "over samples",
    options: { over: "samples" },
    keeps: ["params/method/gate/weight"],
    gives: ["expertImbalance"],
  },
  {
    name: "two views",
    options: { views: 2 },
    keeps: ["memory/scale", "memory/teacher/params/stem/conv/weight"],
    gives: [],
  },
  {
    name: "two views over samples",
    options: { views: 2, over: "samples", determinant: "taylor2" },
    keeps: ["params/method/gate/weight", "memory/teacher/params/stem/conv/weight"],
    gives: ["expertImbalance"],
  },
  { name: "taylor4", options: { determinant: "taylor4", lambdaWarmup: 0.5 }, keeps: ["memory/scale"], gives: [] },
  { name: "weight term", options: { weightTerm: 1 }, keeps: ["memory/scale"], gives: ["weightCodingLength"] },
];

for (const { name, options, keeps, gives } of CASES) {
  testOnEngines(`trainRun() of MEC gives the same bytes when stopped and resumed: ${name}`, async (engine) => {
    const spec = specOf("mec", options), teacher = await teacherOf(engine);
    const unbroken = await run(engine, spec, teacher);
    const { folder } = await run(engine, spec, { ...teacher, stopAfter: 2 });
    const resumed = await run(engine, spec, { ...teacher, folder });
    assert.equal(resumed.status, "done");
    const tensors = await tensorsOf(unbroken);
    assert.deepEqual(await tensorsOf(resumed), tensors);
    assert.deepEqual(resumed.metrics, unbroken.metrics);
    for (const path of keeps) assert.ok(tensors[path], path);
    for (const metric of ["codingLength", ...gives]) assert.ok(Number.isFinite(unbroken.metrics![metric]), metric);
    // what the method learns is no part of the averaged network
    assert.ok(!Object.keys(tensors).some((path) => path.startsWith("memory/") && path.includes("method/")));
  });
}

testOnEngines("trainRun() of MEC learns its gate", async (engine) => {
  const spec = specOf("mec", { over: "samples", beta: 1, warmupEpochs: 0 }), teacher = await teacherOf(engine);
  const gate = async (options: { stopAfter?: number }) =>
    (await tensorsOf(await run(engine, spec, { ...teacher, ...options })))["params/method/gate/weight"]!;
  const early = await gate({ stopAfter: 2 }), late = await gate({});
  assert.deepEqual(late.shape, [64, 4]);
  assert.ok(late.values.every(Number.isFinite));
  assert.notDeepEqual(late.values, early.values);
});

testOnEngines("trainRun() of MEC with beta 0 trains LSQ's student to the bit", async (engine) => {
  const teacher = await teacherOf(engine);
  const plain = await tensorsOf(await run(engine, specOf("qat"), teacher));
  const without = await tensorsOf(await run(engine, specOf("mec", { beta: 0 }), teacher));
  for (const [path, { values }] of Object.entries(plain)) assert.deepEqual(without[path]!.values, values, path);
});
