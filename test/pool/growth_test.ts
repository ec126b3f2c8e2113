import assert from "node:assert/strict";
import { createGrowth } from "../../src/pool/growth.ts";
import type { RunSpec } from "../../src/record/spec.ts";
import { fpSpec, studentSpec } from "../support/fakes/specs.ts";

/** A machine of the test. */
interface Machine {
  /** Images per second of all processes of a GPU together, by their number. */
  readonly together: (processes: number) => number;
  readonly gpus?: number;
  readonly most?: number;
  /** Memory of a GPU, which has 1000 MiB in use before; null: not known. */
  readonly memoryMiB?: number | null;
  readonly specOf?: (run: number) => RunSpec;
}

/** Runs processes that take 300 MiB each for some minutes, always as many as may be. @returns Limits and lines. */
function simulate({ together, gpus = 1, most = 64, memoryMiB = 100_000, specOf = () => fpSpec() }: Machine) {
  let ms = 0, begun = 0;
  const held = Array.from({ length: gpus }, () => 0), running: { id: string; gpu: number; images: number }[] = [];
  const lines: string[] = [], limits: number[] = [];
  const growth = createGrowth({
    gpus: held.map((_, i) => ({
      memoryMiB,
      usedMiB: () => 1000 + 300 * held[i]!,
      processes: () => held[i]!,
    })),
    most,
    onChange: (line) => lines.push(line),
    now: () => ms,
  });
  for (; ms < 15 * 60_000; ms += 500) {
    // each run takes 200 s, so that runs end within windows
    if (ms % 200_000 === 0 && ms > 0 && running.length > 0) {
      const { id, gpu } = running.shift()!;
      growth.ended(id);
      held[gpu]!--;
    }
    while (running.length < growth.limit) {
      const gpu = held.indexOf(Math.min(...held)), id = `run ${begun}`;
      held[gpu]!++;
      growth.started(id, specOf(begun++));
      running.push({ id, gpu, images: 0 });
    }
    for (const run of running) {
      run.images += together(held[run.gpu]!) / held[run.gpu]! / 2;
      growth.progress(run.id, Math.floor(run.images / 64));
    }
    if (limits.at(-1) !== growth.limit) limits.push(growth.limit);
  }
  return { limits, lines };
}

/** A GPU that four processes fill. */
const fullAtFour = (processes: number) => 1000 * Math.min(4, processes);

Deno.test("createGrowth() doubles while that pays, and goes back where it does not", () => {
  const { limits, lines } = simulate({ together: fullAtFour });
  assert.deepEqual(limits, [1, 2, 4, 8, 4]);
  assert.deepEqual(lines, [
    "2 at once for a minute",
    "4 at once for a minute, as 2 per GPU train 2.00 times as many images a second as 1",
    "8 at once for a minute, as 4 per GPU train 2.00 times as many images a second as 2",
    "4 at once from now on: 8 per GPU train 1.00 times as many images a second as 4",
  ]);
});

Deno.test("createGrowth() keeps one process where a second only takes its time, and counts every GPU", () => {
  assert.deepEqual(simulate({ together: () => 1000 }).limits, [1, 2, 1]);
  const { limits, lines } = simulate({ together: fullAtFour, gpus: 3 });
  assert.deepEqual(limits, [3, 6, 12, 24, 12]);
  assert.match(lines.at(-1)!, /^12 at once from now on, 4 per GPU: 8 per GPU train 1\.00 times/);
});

Deno.test("createGrowth() fills no more than 0.8 of the memory, nor the rest of the machine", () => {
  const scales = (processes: number) => 1000 * processes;
  // (0.8 * 4000 - 1000) / 300 = 7.3
  const { limits, lines } = simulate({ together: scales, memoryMiB: 4000 });
  assert.deepEqual(limits, [1, 2, 4, 7]);
  assert.equal(lines.at(-1), "7 at once from now on: more would not fit");
  assert.deepEqual(simulate({ together: scales, most: 3 }).limits, [1, 2, 3]);
  assert.deepEqual(simulate({ together: scales, most: 2, gpus: 3 }).limits, [2]);
  assert.deepEqual(simulate({ together: scales, memoryMiB: null }).limits, [1]);
  assert.deepEqual(simulate({ together: scales, most: 1000 }).limits.at(-1), 48);
});

Deno.test("createGrowth() compares runs of a kind: slower networks that join are no loss", () => {
  const slow = studentSpec("lsq", fpSpec({ model: "resnet18" }));
  // the first run is of another kind than the ones that follow, which train a tenth as many images
  const specOf = (run: number) => run === 0 ? fpSpec() : { ...slow, recipe: { ...slow.recipe, batchSize: 6 } };
  assert.deepEqual(simulate({ together: fullAtFour, specOf }).limits, [1, 2, 4, 8, 4]);
});
