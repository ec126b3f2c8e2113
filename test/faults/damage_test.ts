import assert from "node:assert/strict";
import { join } from "node:path";
import { InputError } from "../../src/errors.ts";
import { stream } from "../../src/random/stream.ts";
import { statePlan } from "../../src/plan/plan.ts";
import { runPool } from "../../src/pool/pool.ts";
import { runId } from "../../src/record/spec.ts";
import { readRecord, runFolder } from "../../src/store/store.ts";
import { initialise } from "../../src/nn/initialise.ts";
import { modelNamed } from "../../src/nn/mod.ts";
import { readCheckpoint, readNewestCheckpoint, writeCheckpoint } from "../../src/checkpoint/checkpoint.ts";
import { fakeCommand, fpSpec, withFolder } from "../support/fakes/specs.ts";
import { times } from "./grid.ts";

const ID = runId(fpSpec());

Deno.test("a record cut at any of its bytes is refused in one sentence, never taken for done or for not there", () =>
  withFolder(async (out) => {
    await runPool(statePlan([fpSpec()], out), { out, jobs: 1, command: fakeCommand() });
    const path = join(runFolder(out, ID), "record.json");
    const bytes = Deno.readFileSync(path);
    const end = new TextDecoder().decode(bytes).trimEnd().length;
    for (let length = 0; length < end; length += 1) {
      Deno.writeFileSync(path, bytes.subarray(0, length));
      assert.throws(() => statePlan([fpSpec()], out), {
        name: "InputError",
        message: /as it is cut in half or no JSON: delete the folder .* to run it again, or restore /,
      }, `byte ${length}`);
    }
    // The newline at its end is no part of it.
    Deno.writeFileSync(path, bytes.subarray(0, end));
    assert.equal(statePlan([fpSpec()], out).todo.length, 0);
    assert.equal(readRecord(out, ID)!.status, "done");
  }));

/** A real network, written twice, at steps 1 and 2. */
async function checkpoints(folder: string): Promise<string> {
  const path = join(folder, "checkpoint.safetensors");
  const { params } = initialise(modelNamed("resnet8").build({ classes: 10, imageChannels: 3 }), 0);
  for (const step of [1, 2]) await writeCheckpoint(path, { tensors: params, position: { step } });
  return path;
}

const FLIPS = 200;
Deno.test(`a checkpoint with any of ${FLIPS} random bytes flipped is never loaded`, () =>
  withFolder(async (folder) => {
    const path = await checkpoints(folder);
    const bytes = await Deno.readFile(path);
    const draws = stream({ seed: FLIPS, purpose: "synthetic" });
    for (let flip = 0; flip < FLIPS; flip++) {
      // Every other one in the header: it is a hundredth of the file.
      const header = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
      const place = draws.integer(flip % 2 === 0 ? header : bytes.length);
      const damaged = bytes.slice();
      damaged[place]! ^= 1 + draws.integer(255);
      await Deno.writeFile(path, damaged);
      await assert.rejects(() => readCheckpoint(path), InputError, `byte ${place}`);
    }
  }));

for (let round = 0; round < times(3, 50); round++) {
  Deno.test(`a run whose newest checkpoint is damaged goes on from the one before (${round})`, () =>
    withFolder(async (folder) => {
      const path = await checkpoints(folder);
      const draws = stream({ seed: round, purpose: "synthetic" });
      const bytes = await Deno.readFile(path);
      bytes[draws.integer(bytes.length)]! ^= 0x40;
      await Deno.writeFile(path, round % 2 === 0 ? bytes : bytes.subarray(0, draws.integer(bytes.length)));
      const said: string[] = [];
      const read = await readNewestCheckpoint<{ step: number }>(path, (line) => said.push(line));
      assert.equal(read!.position.step, 1);
      assert.match(said.join(), /^Cannot read the checkpoint ".*" as .*: resuming from the one before it$/);
    }));
}
