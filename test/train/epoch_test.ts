/** When a run counts as collapsed. */
import assert from "node:assert/strict";
import type { Position } from "../../src/checkpoint/checkpoint.ts";
import type { Epoch, RunRecord } from "../../src/record/record.ts";
import { collapse } from "../../src/train/epoch.ts";
import type { Setup } from "../../src/train/setup.ts";
import { tinySpec } from "../support/runs.ts";

const CHANCE = { trainLoss: 2.31, trainTop1Percent: 9.9, metrics: {} }, LEARNED = { ...CHANCE, trainLoss: 1.2 };
type Point = Pick<Epoch, "trainLoss" | "trainTop1Percent" | "metrics">;

/** Asks if a run with these epochs, and a teacher of this accuracy, has collapsed. */
function collapsed(
  curve: readonly Point[],
  { stepsPerEpoch = 390, warmupEpochs = 0, teacher }: {
    stepsPerEpoch?: number;
    warmupEpochs?: number;
    teacher?: number;
  } = {},
): boolean {
  const spec = tinySpec("fp"), metrics = { top1Percent: teacher };
  const setup = {
    dataset: { classes: 10 },
    spec: { ...spec, recipe: { ...spec.recipe, warmupEpochs } },
    stepsPerEpoch,
    request: { teacherRecord: teacher === undefined ? null : { metrics } as unknown as RunRecord },
  } as unknown as Setup;
  return collapse(setup, { step: 1, curve, trainSeconds: 1 } as unknown as Position)?.status === "diverged";
}

function times(count: number, point: Point): Point[] {
  return Array(count).fill(point);
}

Deno.test("a run that has learned nothing yet has not collapsed, however long", () => {
  assert.equal(collapsed(times(40, CHANCE)), false);
  assert.equal(collapsed(times(40, CHANCE), { stepsPerEpoch: 4, warmupEpochs: 5 }), false);
  assert.equal(collapsed(times(40, CHANCE), { teacher: 10.2 }), false); // its teacher guesses too
});

Deno.test("a run has collapsed after two epochs at chance that follow a better one, or a better teacher", () => {
  assert.equal(collapsed([LEARNED, CHANCE]), false);
  assert.equal(collapsed([LEARNED, CHANCE, CHANCE]), true);
  assert.equal(collapsed([LEARNED, CHANCE, LEARNED, CHANCE]), false);
  assert.deepEqual([collapsed([CHANCE], { teacher: 80 }), collapsed([CHANCE, CHANCE], { teacher: 80 })], [false, true]);
  const better = { ...CHANCE, trainTop1Percent: 14 };
  assert.equal(collapsed([LEARNED, CHANCE, better]), false);
});

Deno.test("epochs of the warm-up are not judged, and few steps are not enough", () => {
  const lost = [LEARNED, CHANCE, CHANCE, CHANCE];
  assert.deepEqual([2, 3].map((warmupEpochs) => collapsed(lost, { warmupEpochs })), [true, false]);
  // 200 steps are 50 epochs of 4
  const judged = [49, 50].map((count) => collapsed([LEARNED, ...times(count, CHANCE)], { stepsPerEpoch: 4 }));
  assert.deepEqual(judged, [false, true]);
});

Deno.test("a collapse is judged by the cross-entropy, not by a loss with further terms", () => {
  // MEC subtracts a coding length from its cross-entropy: uniform logits have a lower loss than ln 10
  const coded = { trainLoss: 1.9, trainTop1Percent: 10, metrics: { taskLoss: 2.3026 } };
  const learned = { trainLoss: 2.4, trainTop1Percent: 10, metrics: { taskLoss: 2.1 } };
  assert.deepEqual([collapsed(times(2, coded), { teacher: 80 }), collapsed(times(2, learned), { teacher: 80 })], [
    true,
    false,
  ]);
});
