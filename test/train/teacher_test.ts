/** Which checkpoint a student starts from. */
import assert from "node:assert/strict";
import { initialise } from "../../src/nn/initialise.ts";
import { modelNamed } from "../../src/nn/mod.ts";
import { runId, type RunSpec } from "../../src/record/spec.ts";
import type { RunRecord } from "../../src/record/record.ts";
import { writeCheckpoint } from "../../src/checkpoint/checkpoint.ts";
import { networkSha256 } from "../../src/checkpoint/network_digest.ts";
import type { Position } from "../../src/train/position.ts";
import { readTeacherNetwork } from "../../src/train/start.ts";
import { checkpointTensors } from "../../src/train/tensors.ts";
import { record as recordOf } from "../report/fixtures.ts";
import { fpSpec, studentSpec, withFolder } from "../support/fakes/specs.ts";

const TEACHER = fpSpec({ recipe: { ...fpSpec().recipe, epochs: 2 } }), STUDENT = studentSpec("lsq", TEACHER);
const MODEL = modelNamed("resnet8").build({ classes: 10, imageChannels: 3 });
const NETWORK = checkpointTensors(initialise(MODEL, 0)), OTHER = checkpointTensors(initialise(MODEL, 1));
const RECORD: RunRecord = { ...recordOf({ bits: null }), id: runId(TEACHER), spec: TEACHER };
/** Of older code: the run alone. */
const OLD: Position = { runId: RECORD.id, step: 4, sums: {}, curve: RECORD.curve, trainSeconds: 1 };
const FINISHED = { ...OLD, steps: 4 };

async function read(
  position: Position,
  { spec = STUDENT, record = null, tensors = NETWORK }: {
    spec?: RunSpec;
    record?: RunRecord | null;
    tensors?: typeof NETWORK;
  } = {},
): Promise<string> {
  let outcome = "";
  await withFolder(async (folder) => {
    const path = `${folder}/checkpoint.safetensors`;
    await writeCheckpoint(path, { tensors, position });
    try {
      const { params } = await readTeacherNetwork(path, { spec, teacherRecord: record, model: MODEL });
      outcome = `${Object.keys(params).length} tensors`;
    } catch (error) {
      assert.equal((error as Error).name, "InputError");
      outcome = (error as Error).message.replaceAll(folder, "DIR");
    }
  });
  return outcome;
}

function refused(why: string): string {
  return `Cannot start from the checkpoint "DIR/checkpoint.safetensors" of teacher ${RECORD.id} as it is ${why}: restore ` +
    "that file, or delete the folder DIR to train the teacher again";
}

const TENSORS = `${Object.keys(NETWORK).filter((path) => path.startsWith("params/")).length} tensors`;

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
    const path = `${folder}/checkpoint.safetensors`, request = { spec: STUDENT, model: MODEL };
    const remedy = `restore that file, or delete the folder ${folder} to train the teacher again`;
    await assert.rejects(readTeacherNetwork(path, request), {
      message: `Cannot start from the checkpoint "${path}" as it is not there: ${remedy}`,
    });
    Deno.writeTextFileSync(path, "cut");
    await assert.rejects(readTeacherNetwork(path, request), {
      message: `Cannot read the checkpoint "${path}" as it is cut: it has 3 bytes: ${remedy}`,
    });
  }));
