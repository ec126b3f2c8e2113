/** Which checkpoint a student starts from. */
import assert from "node:assert/strict";
import { initialise, type TensorData } from "../../src/nn/initialise.ts";
import { modelNamed } from "../../src/nn/mod.ts";
import { runId, type RunSpec } from "../../src/record/spec.ts";
import type { RunRecord } from "../../src/record/record.ts";
import { networkSha256, type Position, writeCheckpoint } from "../../src/checkpoint/checkpoint.ts";
import { openTeacher } from "../../src/train/setup.ts";
import { tinyDataset } from "../support/runs.ts";
import { record as recordOf } from "../report/fixtures.ts";
import { fpSpec, studentSpec, withFolder } from "../support/fakes/specs.ts";

const TEACHER = fpSpec({ recipe: { ...fpSpec().recipe, epochs: 2 } }), STUDENT = studentSpec("lsq", TEACHER);
const MODEL = modelNamed("resnet8").build({ classes: 10, imageChannels: 3 });
const NETWORK = networkOfSeed(0), OTHER = networkOfSeed(1), DATASET = tinyDataset();
const RECORD: RunRecord = { ...recordOf({ bits: null }), id: runId(TEACHER), spec: TEACHER };
/** Position of older code: it names the run alone. */
const OLD: Position = { runId: RECORD.id, step: 4, sums: {}, curve: RECORD.curve, trainSeconds: 1 };
const FINISHED = { ...OLD, steps: 4 };

function networkOfSeed(seed: number): Record<string, TensorData> {
  const { params, state } = initialise(MODEL, seed);
  const named = (kind: string, leaves: Record<string, TensorData>) =>
    Object.entries(leaves).map(([path, data]) => [`${kind}/${path}`, data] as const);
  return Object.fromEntries([...named("params", params), ...named("state", state)]);
}

async function read(
  position: Position,
  { spec = STUDENT, record = null, tensors = NETWORK, sha256 = RECORD.dataSha256! }: {
    spec?: RunSpec;
    record?: RunRecord | null;
    tensors?: typeof NETWORK;
    sha256?: string;
  } = {},
): Promise<string> {
  let outcome = "";
  await withFolder(async (folder) => {
    const path = `${folder}/checkpoint.safetensors`;
    await writeCheckpoint(path, { tensors, position });
    try {
      const request = { spec, teacherRecord: record, model: MODEL, dataset: { ...DATASET, sha256 } };
      outcome = `${Object.keys((await openTeacher(path, request)).tensors).length} tensors`;
    } catch (error) {
      assert.equal((error as Error).name, "InputError");
      outcome = (error as Error).message.replaceAll(folder, "DIR");
    }
  });
  return outcome;
}

function refused(why: string): string {
  return `Cannot start from teacher ${RECORD.id} as the checkpoint "DIR/checkpoint.safetensors" is ${why}: restore ` +
    "that file, or delete the folder DIR to train the teacher again";
}

const TENSORS = `${Object.keys(NETWORK).length} tensors`;

Deno.test("a student starts from the finished network of its teacher, of older code too", async () => {
  const record = { ...RECORD, networkSha256: networkSha256(NETWORK) };
  assert.deepEqual(
    await Promise.all([
      read(FINISHED),
      read(FINISHED, { record }),
      read(OLD),
      read(OLD, { record: RECORD }),
    ]),
    Array(4).fill(TENSORS),
  );
});

Deno.test("a student refuses a checkpoint of another run, of an unfinished one, or of another training", async () => {
  const before = { ...OLD, step: 2, curve: RECORD.curve.slice(0, 1) };
  const record = { ...RECORD, networkSha256: networkSha256(NETWORK) };
  assert.deepEqual(
    await Promise.all([
      read({ ...FINISHED, runId: runId(fpSpec({ seed: 7 })) }),
      read({ ...before, steps: 4 }),
      read(before, { record: RECORD }),
      read(FINISHED, { record, tensors: OTHER }),
      read(OLD, { record: { ...RECORD, status: "timeout", metrics: null } }),
    ]),
    [
      refused(`of run ${runId(fpSpec({ seed: 7 }))}`),
      refused("of step 2 of 4"),
      refused("of epoch 1 of 2"),
      refused("of another training of that run"),
      refused("of a run that ended as timeout"),
    ],
  );
});

Deno.test("a student whose teacher's checkpoint is damaged or missing is told to delete the teacher's whole folder", () =>
  withFolder(async (folder) => {
    const path = `${folder}/checkpoint.safetensors`, request = { spec: STUDENT, model: MODEL, dataset: DATASET };
    const remedy = `restore that file, or delete the folder ${folder} to train the teacher again`;
    await assert.rejects(openTeacher(path, request), {
      message: `Cannot start from teacher ${RECORD.id} as its checkpoint "${path}" is missing: ${remedy}`,
    });
    Deno.writeTextFileSync(path, "cut");
    await assert.rejects(openTeacher(path, request), {
      message: `Cannot read the checkpoint "${path}" as it is no safetensors file, or cut: it has 3 bytes: ${remedy}`,
    });
  }));

Deno.test("a student refuses a teacher of other data, by its checkpoint and by its record, before training", async () => {
  const why =
    `Cannot start from teacher ${RECORD.id} as it was trained on data of SHA-256 old and the data set is now ` +
    "new: restore the data set, or delete the folder DIR to train the teacher again";
  const record = { ...RECORD, dataSha256: "old" };
  assert.deepEqual(
    await Promise.all([
      read({ ...FINISHED, dataSha256: "old" }, { sha256: "new" }),
      read(FINISHED, { record, sha256: "new" }),
      read({ ...FINISHED, dataSha256: "old" }, { record, sha256: "old" }),
      read(FINISHED, { sha256: "new" }), // of older code, and without a record: not known
    ]),
    [why, why, TENSORS, TENSORS],
  );
});

Deno.test("a student refuses a teacher whose network is not finite, by the tensor's name", async () => {
  const [path] = Object.keys(NETWORK).filter((name) => name.startsWith("state/")), { shape, values } = NETWORK[path!]!;
  for (const odd of [NaN, Infinity, -Infinity]) {
    const tensors = { ...NETWORK, [path!]: { shape, values: values.with(2, odd) } };
    assert.equal(
      await read(FINISHED, { tensors }),
      refused(`no finite network: "${path}" holds ${odd} in place 2 of ${values.length}`),
    );
  }
});
