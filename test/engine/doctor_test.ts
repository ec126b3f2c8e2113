import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import { layerCases } from "../../src/engine/doctor/cases.ts";
import { everydayCases } from "../../src/engine/doctor/everyday_cases.ts";
import * as reference from "../../src/engine/doctor/reference.ts";
import { type Values, valuesOf } from "../../src/engine/doctor/reference.ts";
import { diagnose, formatReport } from "../../src/engine/doctor.ts";
import { KERNELS } from "../../src/engine/ops.ts";
import type { Compiled, Engine, Program, TensorTree } from "../../src/engine/types.ts";
import { openWasmEngine } from "../../src/engine/wasm/engine.ts";

const engine = await openWasmEngine();

function wave(shape: readonly number[], seed: number): Values {
  return valuesOf(shape, (i) => Math.sin(1.7 * i + seed) + 0.5 * Math.cos(0.3 * i * i + seed));
}

/** sum(dy f(x)). */
function dot(a: Values, b: Values): number {
  return a.values.reduce((sum, value, i) => sum + value * b.values[i]!, 0);
}

/** The gradient of `f` by `x`, by central differences in float64: exact to about 1e-9. */
function differences(f: (x: Values) => number, x: Values): Float64Array {
  const step = 1e-5, moved = (i: number, by: number) => ({ ...x, values: x.values.with(i, x.values[i]! + by) });
  return x.values.map((_, i) => (f(moved(i, step)) - f(moved(i, -step))) / (2 * step));
}

function assertClose(actual: Float64Array, expected: Float64Array, tolerance = 1e-6): void {
  assert.equal(actual.length, expected.length);
  actual.forEach((value, i) => assert.ok(Math.abs(value - expected[i]!) < tolerance, `${i}: ${value} ${expected[i]}`));
}

Deno.test("the reference's convolution gradients are the slopes of its convolution", () => {
  for (const options of [{ stride: 2, padding: 1 }, { stride: 1, padding: "same", depthwise: true }] as const) {
    const x = wave([1, 4, 5, 2], 1), filter = wave([3, 3, 2, "depthwise" in options ? 1 : 3], 2);
    const dy = wave(reference.convolve(x, filter, options).shape, 3);
    const { dx, dfilter } = reference.convolveGradients({ x, filter, dy }, options);
    assertClose(dx.values, differences((x) => dot(dy, reference.convolve(x, filter, options)), x));
    assertClose(dfilter.values, differences((filter) => dot(dy, reference.convolve(x, filter, options)), filter));
  }
});

Deno.test("the reference's convolution gives hand-computed values", () => {
  // 1 2 3 / 4 5 6 / 7 8 9 with ones, one zero on every side, stride 2: sums of the corners' 2 x 2 blocks
  const x = valuesOf([1, 3, 3, 1], (i) => i + 1), filter = valuesOf([3, 3, 1, 1], () => 1);
  const y = reference.convolve(x, filter, { stride: 2, padding: 1 });
  assert.deepEqual([y.shape, Array.from(y.values)], [[1, 2, 2, 1], [12, 16, 24, 28]]);
});

Deno.test("the reference's batch normalisation gradients are the slopes of its output", () => {
  const x = wave([2, 2, 3, 2], 1), gamma = wave([2], 2), beta = wave([2], 3), dy = wave(x.shape, 4);
  const { dx, dgamma, dbeta } = reference.batchNormGradients({ x, gamma, dy }, 0.01);
  const loss = (x: Values, gamma: Values, beta: Values) => dot(dy, reference.batchNorm({ x, gamma, beta }, 0.01).y);
  assertClose(dx.values, differences((x) => loss(x, gamma, beta), x));
  assertClose(dgamma.values, differences((gamma) => loss(x, gamma, beta), gamma));
  assertClose(dbeta.values, differences((beta) => loss(x, gamma, beta), beta));
});

Deno.test("the reference's log determinant and inverse are those of a matrix known by heart", () => {
  // det [[4, 2], [2, 3]] = 8, inverse [[3, -2], [-2, 4]] / 8
  const { logDet, inverse } = reference.logDetInverse(valuesOf([1, 2, 2], (i) => [4, 2, 2, 3][i]!));
  assertClose(logDet.values, Float64Array.of(Math.log(8)), 1e-12);
  assertClose(inverse.values, Float64Array.of(3 / 8, -2 / 8, -2 / 8, 4 / 8), 1e-12);
});

Deno.test("the reference's Philox gives the known answers of Random123", () => {
  // kat_vectors of Random123: philox4x32 10, all zeros and all ones
  const hex = (words: number[]) => words.map((word) => word.toString(16).padStart(8, "0")).join(" ");
  assert.equal(hex(reference.philox([0, 0], [0, 0, 0, 0])), "6627e8d5 e169c58d bc57ac4c 9b00dbd8");
  assert.equal(hex(reference.philox([-1, -1], [-1, -1, -1, -1])), "408f276d 41c83b0e a20bc7c6 6d5451fd");
});

Deno.test("diagnose() finds every kernel of engine wasm right and measures its speed", async () => {
  const before = tf.memory().numTensors, report = await diagnose(engine);
  assert.deepEqual(report.checks.filter(({ ok }) => !ok), []);
  assert.ok(report.ok && report.advice.length === 0);
  assert.ok(report.speed.length === 2 && report.speed.every(({ gigaflopsPerSecond }) => gigaflopsPerSecond > 0.1));
  assert.equal(tf.memory().numTensors, before);
  assert.match(formatReport(report).at(-1)!, /^All \d+ results are right/);
});

Deno.test("the doctor's cases cover every kernel of ops.ts, each name once", () => {
  const names = [...layerCases(), ...everydayCases()].flatMap(({ expected, inputs }) => Object.keys(expected(inputs)));
  assert.equal(new Set(names).size, names.length);
  for (const kernel of KERNELS) assert.ok(names.some((name) => name.split(":")[0] === kernel), kernel);
});

/** Engine wasm with results that `change` has changed. */
function spoiled(change: (tensor: tf.Tensor, name: string, call: number) => tf.Tensor): Engine {
  function compile<In extends TensorTree, Out extends TensorTree>(program: Program<In, Out>): Compiled<In, Out> {
    let call = 0;
    const compiled = (inputs: In) => {
      call++;
      const outputs = Object.entries(program(inputs) as Record<string, tf.Tensor>);
      return Object.fromEntries(outputs.map(([name, tensor]) => [name, change(tensor, name, call)])) as Out;
    };
    return Object.assign((inputs: In) => tf.tidy(() => compiled(inputs) as tf.TensorContainer) as Out, {
      dispose() {},
    });
  }
  return { ...engine, compile };
}

const CASES = layerCases().slice(0, 2);

Deno.test("diagnose() reports a wrong value, with its error and what to do, and leaves the others right", async () => {
  const wrong = spoiled((tensor, name) => name === "ReluGrad" ? tf.mul(tensor, 1.01) : tensor);
  const report = await diagnose(wrong, { cases: CASES, speed: false }), failed = report.checks.filter(({ ok }) => !ok);
  assert.deepEqual(failed.map(({ kernel, problem }) => [kernel, problem]), [["ReluGrad", "its values are wrong"]]);
  assert.ok(Math.abs(failed[0]!.relativeError! - 0.01) < 1e-6);
  assert.ok(!report.ok && report.checks.length === 6);
  const text = formatReport(report);
  assert.ok(text.some((line) => /^FAILED {2}ReluGrad +1\.0e-2 {2}its values are wrong$/.test(line)), text.join("\n"));
  assert.ok(text.includes("1 of 6 results are wrong") && text.some((line) => line.startsWith("- Remove node_modules")));
});

Deno.test("diagnose() reports NaN, a wrong shape, an unsteady result and a kernel that throws", async () => {
  async function problemOf(change: Parameters<typeof spoiled>[0]): Promise<string[]> {
    const { checks } = await diagnose(spoiled(change), { cases: CASES, speed: false });
    return checks.filter(({ ok }) => !ok).map(({ kernel, problem }) => `${kernel}: ${problem}`);
  }
  const on = (wanted: string, change: (tensor: tf.Tensor, call: number) => tf.Tensor) =>
    problemOf((tensor, name, call) => name === wanted ? change(tensor, call) : tensor);
  assert.deepEqual(await on("Relu", (x) => tf.mul(x, NaN)), ["Relu: its values are wrong"]);
  assert.deepEqual(await on("Relu", (x) => tf.reshape(x, [2, 4])), ["Relu: its shape is [2,4] instead of [8]"]);
  assert.deepEqual(
    await on("Relu", (x, call) => call === 2 ? tf.add(x, 1e-5) : x),
    ["Relu: a second run gave other bytes"],
  );
  const thrown = await on("RoundClip", () => {
    throw new Error("Kernel 'X' not found\nstack");
  });
  assert.deepEqual(thrown, ["RoundClip", "RoundClipGrad"].map((kernel) => `${kernel}: Kernel 'X' not found`));
});

Deno.test("diagnose() reports a kernel that hides NaN or an infinity, though its other values are right", async () => {
  const problemOf = async (hide: (x: tf.Tensor) => tf.Tensor, cases = CASES) => {
    const hiding = spoiled((tensor, name) => name === "Relu" || name === "ArgMax" ? hide(tensor) : tensor);
    const { checks } = await diagnose(hiding, { cases, speed: false });
    return checks.filter(({ ok }) => !ok).map(({ kernel, problem }) => `${kernel}: ${problem}`);
  };
  const zeroWhere = (odd: (x: tf.Tensor) => tf.Tensor) => (x: tf.Tensor) => tf.where(odd(x), tf.zerosLike(x), x);
  assert.deepEqual(await problemOf(zeroWhere((x) => tf.isNaN(x))), ["Relu: it hides NaN: it gives 0"]);
  assert.deepEqual(await problemOf(zeroWhere((x) => tf.isInf(x))), ["Relu: it hides Infinity: it gives 0"]);
  const signed = (x: tf.Tensor) => {
    const bits = new Uint32Array(Float32Array.from(x.dataSync()).buffer);
    return tf.tensor(Array.from(bits, (word) => word === 0xffc00000), x.shape, "bool");
  };
  assert.deepEqual(await problemOf(zeroWhere(signed)), ["Relu: it hides -NaN: it gives 0"]);
  const wrong = (x: tf.Tensor) => tf.where(tf.any(tf.isInf(x)), tf.add(x, 1), x);
  assert.match((await problemOf(wrong)).join(), /^Relu: with Infinity in an input it gives \d+ instead of \d+$/);
  // an order of values has no place for a NaN
  const order = everydayCases().filter(({ orders }) => orders?.includes("ArgMax"));
  assert.deepEqual(await problemOf((x) => x, order), []);
});

/** Runs the command from a folder that is not the checkout. */
async function runCommand(
  args: string[],
  env: Record<string, string> = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const main = new URL(import.meta.resolve("../../src/cli/main.ts")).pathname, cwd = await Deno.makeTempDir();
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", main, "engine", ...args],
    cwd,
    env,
    stdout: "piped",
    stderr: "piped",
  });
  const { code, stdout, stderr } = await command.output();
  await Deno.remove(cwd);
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

Deno.test("deno task engine doctor --json prints one document, from any folder", async () => {
  const { code, stdout } = await runCommand(["doctor", "--engine", "wasm", "--json"]);
  const report = JSON.parse(stdout);
  assert.deepEqual([code, report.engine, report.ok], [0, "wasm", true]);
});

Deno.test("deno task engine ends bad input with one sentence and code 2, and help with 0", async () => {
  const cases: [string[], RegExp][] = [
    [
      ["instal"],
      /^Cannot use command "instal" as it is not known, perhaps install was meant: choose one of install, doctor, /,
    ],
    [
      ["doctor", "--engine", "cuda"],
      /^Cannot use engine "cuda" as it is not known: choose one of auto, onednn, tensorflow, wasm\n$/,
    ],
    [["install", "--engine", "wasm"], /^Cannot use option --engine as it is not known: choose among --gpu, /],
    [
      ["doctor", "--fast"],
      /^Cannot use option --fast as it is not known: choose among --engine, --precision, --json, --help\n$/,
    ],
    [["install", "--wheel", "/nowhere.whl"], /^(?=[^\n]*\n$).*current value is "\/nowhere\.whl"/],
  ];
  const cache = await Deno.makeTempDir(), before = Deno.env.get("REQUANT_CACHE");
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await runCommand(args, { REQUANT_CACHE: cache });
    assert.match(stderr, message);
    assert.deepEqual([code, stdout], [2, ""]);
  }
  await Deno.remove(cache, { recursive: true });
  assert.equal(Deno.env.get("REQUANT_CACHE"), before, "test files share the environment");
  const { code, stdout } = await runCommand(["--help"]);
  assert.ok(code === 0 && stdout.startsWith("Usage: deno task engine [options] [command]"));
  assert.match(stdout, /a wheel of 274 MB;\s+853 MB on disk/); // as README.md and docs/engine.md
});
