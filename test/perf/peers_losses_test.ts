import assert from "node:assert/strict";
import { agreement, FLIP_LIMIT, LOSS_TOLERANCE, summarise } from "../../perf/peers/result.ts";
import { peerPage } from "../../perf/peers/page.ts";
import { AGREES, measurement, sample, side } from "../support/peers.ts";

/** Losses of the eager and the compiled side beside ours, 2 2 2, in the second step. */
function counted(
  { eager, compile, isQuantized = true }: { eager: number; compile: number | null; isQuantized?: boolean },
) {
  const of = (loss: number) => [sample(1, { losses: [2, loss, 2] })];
  const ours = side("requant", of(2)), theirs = side("eager", of(eager));
  const compiled = compile === null ? side("compile", [], "no compiler") : side("compile", of(compile));
  return agreement(theirs, { ours, sides: [ours, theirs, compiled], isQuantized });
}

Deno.test("agreement() counts a difference up to the tolerance, whatever PyTorch's own is", () => {
  assert.equal(counted({ eager: 2 * (1 + 0.99 * LOSS_TOLERANCE), compile: null }).counts, true);
  assert.equal(
    counted({ eager: 2 * (1 + 0.99 * LOSS_TOLERANCE), compile: 2 * (1 + 0.99 * LOSS_TOLERANCE) }).counts,
    true,
  );
  assert.equal(counted({ eager: 2 * (1 + 1.01 * LOSS_TOLERANCE), compile: null }).counts, false);
});

Deno.test("agreement() counts a difference up to the one between eager and torch.compile", () => {
  const flips = counted({ eager: 2.004, compile: 1.996 });
  assert.ok(Math.abs(flips.difference - 0.002) < 1e-12);
  assert.ok(Math.abs(flips.ownDifference! - 0.008 / 2.004) < 1e-12);
  assert.equal(flips.counts, true);
  assert.equal(counted({ eager: 2.004, compile: 1.996, isQuantized: false }).counts, false);
  assert.equal(counted({ eager: 2.004, compile: 2.005 }).counts, false);
  assert.equal(counted({ eager: 2.004, compile: null }).ownDifference, null);
});

Deno.test("agreement() counts no difference beyond the limit of flips, and none by a side that broke", () => {
  assert.equal(counted({ eager: 2 * (1 + 0.45 * FLIP_LIMIT), compile: 2 * (1 - 0.45 * FLIP_LIMIT) }).counts, true);
  assert.equal(counted({ eager: 2 * (1 + 0.55 * FLIP_LIMIT), compile: 2 * (1 - 0.55 * FLIP_LIMIT) }).counts, false);
  // PyTorch's own difference is no measure of flips where one of its forms is another step
  assert.equal(counted({ eager: 2 * (1 + 0.9 * FLIP_LIMIT), compile: 2.1 }).counts, false);
  const broken = counted({ eager: NaN, compile: 2 });
  assert.deepEqual([broken.difference, broken.ownDifference, broken.counts], [Infinity, Infinity, false]);
});

Deno.test("agreement() lets no form of PyTorch excuse its own difference by being far from the other", () => {
  assert.equal(counted({ eager: 2 * (1 + 0.8 * FLIP_LIMIT), compile: 2 }).counts, false);
  assert.equal(counted({ eager: 2 * (1 + 0.4 * FLIP_LIMIT), compile: 2 * (1 - 0.19 * FLIP_LIMIT) }).counts, false);
  assert.equal(counted({ eager: 2 * (1 + 0.4 * FLIP_LIMIT), compile: 2 * (1 - 0.21 * FLIP_LIMIT) }).counts, true);
});

Deno.test("agreement() holds Brevitas against the same two forms of PyTorch", () => {
  const of = (loss: number) => [sample(1, { losses: [2, loss, 2] })];
  const ours = side("requant", of(2)), brevitas = side("brevitas", of(2.005));
  const sides = (eager: number, compile: number) => [
    ...[ours, side("eager", of(eager)), side("compile", of(compile)), brevitas],
  ];
  const isQuantized = true;
  assert.equal(agreement(brevitas, { ours, sides: sides(2.003, 1.997), isQuantized }).counts, true);
  assert.equal(agreement(brevitas, { ours, sides: sides(2, 2.006), isQuantized }).counts, false);
  assert.equal(agreement(brevitas, { ours, sides: sides(2.002, 1.998), isQuantized }).counts, false);
});

Deno.test("peerPage() says that a figure does not count, with the difference and both losses", () => {
  const differs = measurement(side("compile", [sample(1.28), sample(1.28, { losses: [2.5, 2.43, 2.3] })]));
  assert.match(peerPage(differs), /\| does not count, differ by 1\.3e-2: loss 2\.400000 against 2\.430000 +\|/);
  const nothing = measurement(side("compile", [sample(1.28, { losses: [2.5, NaN, 2.3] })]));
  assert.match(peerPage(nothing), /\| does not count, differ by Infinity: loss 2\.400000 against NaN +\|/);
});

Deno.test("peerPage() shows PyTorch's own difference where a figure counts by it", () => {
  const base = measurement(AGREES), [ours] = base.cases[0]!.sides;
  const losses = (second: number) => [sample(1.28, { losses: [2.5, second, 2.3] })];
  const sides = [ours!, side("eager", losses(2.4048)), side("compile", losses(2.3952))];
  const page = peerPage({ ...base, cases: [{ ...base.cases[0]!, sides }] });
  const flips = "agree but for flips, differ by 2.0e-3; eager and torch.compile by 4.0e-3";
  assert.equal(page.split(flips).length, 3);
  assert.deepEqual(summarise({ ...base, cases: [{ ...base.cases[0]!, sides }] }).map(({ counts }) => counts), [
    null,
    true,
    true,
  ]);
});
