import assert from "node:assert/strict";
import { methodCosts, peerPage } from "../../perf/peers/page.ts";
import type { PeerCase } from "../../perf/peers/measurement.ts";
import { AGREES, measurement, sample, side } from "../support/peers.ts";

/** LSQ and CR-like steps of three rounds: ours cost 1.5, 1.4 and 1.6 LSQ steps, eager's 2. */
function cases(): PeerCase[] {
  const base = measurement(AGREES).cases[0]!, step = (seconds: number) => sample(1, { cpuSeconds: seconds });
  const parts = (passes: number) => ({ parts: { step: 1.5, lsq: 1, passes } });
  return [
    { ...base, arm: "lsq_w4a4", sides: [side("requant", [1, 1, 1].map(step)), side("eager", [1, 2, 3].map(step))] },
    {
      ...base,
      arm: "cr_w4a4",
      sides: [
        side("requant", [
          sample(1, { cpuSeconds: 1.5, ...parts(0.5) }),
          sample(1, { cpuSeconds: 1.4, ...parts(0.25) }),
          sample(1, { cpuSeconds: 1.6, ...parts(0.2) }),
        ]),
        side("eager", [2, 4, 6].map(step)),
        side("compile", [], "no compiler"),
      ],
    },
  ];
}

Deno.test("methodCosts() takes a side's own LSQ step of the same round, and the parts within a process", () => {
  assert.deepEqual(methodCosts({ ...measurement(AGREES), cases: cases() }), [
    {
      model: "resnet20",
      arm: "cr_w4a4",
      side: "requant",
      overLsq: 1.5,
      overLsqRange: [1.4, 1.6],
      overParts: 1.2,
      overPartsRange: [1, 1.25],
    },
    {
      model: "resnet20",
      arm: "cr_w4a4",
      side: "eager",
      overLsq: 2,
      overLsqRange: [2, 2],
      overParts: null,
      overPartsRange: null,
    },
  ]);
});

Deno.test("methodCosts() leaves the ratio out where the LSQ step was not measured", () => {
  const [, cr] = cases();
  assert.deepEqual(
    methodCosts({ ...measurement(AGREES), cases: [cr!] }).map(({ overLsq, overParts }) => [overLsq, overParts]),
    [
      [null, 1.2],
      [null, null],
    ],
  );
  assert.deepEqual(methodCosts(measurement(AGREES)), []);
});

Deno.test("peerPage() has the table of costs where a method's step was measured, and only there", () => {
  const base = measurement(AGREES), page = peerPage({ ...base, cases: cases() });
  const row = page.split("\n").find((line) => /^\| resnet20, CR-like W4A4 +\| Requant/.test(line))!;
  assert.match(row, /\| +1\.50x, 1\.40 to 1\.60 \| +1\.20x, 1\.00 to 1\.25 \|$/);
  assert.ok(!peerPage(base).includes("What a method's step costs"));
});
