import assert from "node:assert/strict";
import { mecPaper } from "../../benchmarks/mec/paper.ts";
import { createMethod } from "../../src/methods/mod.ts";

const [bits, ablation] = mecPaper.tables;

function optionsOf(id: string): Readonly<Record<string, unknown>> {
  return ablation!.arms.find((arm) => arm.id === id)!.method.options;
}

Deno.test("mec-bits runs FP, LSQ and MEC at the abstract's bits and at one bit of activations", () => {
  assert.deepEqual(bits!.arms.map(({ id }) => id), ["fp", "lsq", "mec"]);
  assert.deepEqual(bits!.bits.map(({ weights, activations }) => `W${weights}A${activations}`), [
    "W4A4",
    "W2A4",
    "W2A2",
    "W2A1",
  ]);
});

Deno.test("mec-ablation changes one part of MEC an arm", () => {
  // their text is part of the id of committed records
  const mec: Record<string, number> = { beta: 0.1, experts: 4, distortion: 0.125, warmupEpochs: 1 };
  assert.deepEqual(optionsOf("mec"), mec);
  const changes = ablation!.arms.filter(({ id }) => id.startsWith("mec_")).map(({ id, method: { options } }) => {
    assert.equal(createMethod({ name: "mec", options }).views, id.includes("two_views") ? 2 : 1);
    return [id, Object.fromEntries(Object.entries(options).filter(([name, value]) => mec[name] !== value))];
  });
  const twoViews = { views: 2, determinant: "taylor4", lambdaWarmup: 0.1, teacherMomentum: 0.996 };
  assert.deepEqual(Object.fromEntries(changes), {
    mec_k1: { experts: 1 },
    mec_k2: { experts: 2 },
    mec_k8: { experts: 8 },
    mec_samples: { over: "samples", balance: 1 },
    mec_taylor2: { determinant: "taylor2" },
    mec_taylor4: { determinant: "taylor4" },
    mec_two_views: { ...twoViews, distortion: 1 },
    mec_two_views_fine: { ...twoViews, distortion: 0.03125 },
    mec_weights: { weightTerm: 1 },
  });
  assert.ok(ablation!.arms.some(({ id }) => id === "lsq"), "beta = 0");
  assert.deepEqual([ablation!.models, ablation!.bits], [["resnet20"], [{ weights: 2, activations: 2 }]]);
});
