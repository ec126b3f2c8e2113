/** bfloat16, 8 significant bits: operands of convolution gradients on engine onednn, where a processor multiplies it. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { openEngine } from "../../src/engine/mod.ts";
import { wave } from "../../src/engine/doctor/cases.ts";
import { convolveGradients, mapValues, type Values, valuesOf } from "../../src/engine/doctor/reference.ts";
import { fuse } from "../../src/engine/onednn/fuse.ts";
import { type Graph, makeUse } from "../../src/engine/onednn/graph.ts";
import { hasBfloat16 } from "../../src/engine/onednn/isa.ts";
import { convolution, relu, roundClip } from "../../src/engine/ops.ts";
import type { Engine } from "../../src/engine/types.ts";
import { ENGINES } from "../support/engines.ts";

type Named = Record<string, Tensor>;

const engine = ENGINES.includes("onednn") ? await openEngine("onednn") : null;
const lack = engine === null
  ? " (ignored: engine onednn is not here)"
  : hasBfloat16(engine.versions["isa"]!)
  ? ""
  : ` (ignored: ${engine.versions["isa"]} does not multiply bfloat16)`;

function test(name: string, body: (engine: Engine) => void | Promise<void>): void {
  Deno.test({ name: name + lack, ignore: lack !== "", fn: async () => await body(engine!) });
}

function tensorOf({ shape, values }: Values): Tensor {
  return tf.tensor(Float32Array.from(values), [...shape]);
}

/** Largest difference, relative to the largest value. */
function distance(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  const largest = Array.from(expected).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return Array.from(expected).reduce((most, value, i) => Math.max(most, Math.abs(actual[i]! - value)), 0) / largest;
}

/** The gradients of a quantized layer by its rounded input and its filter, and y, for dy. */
function layer(stride: number, low: number) {
  return ({ x, filter, dy }: Named) => {
    const q = roundClip(x!, { low, high: low + 255 });
    const { value: y, grads } = tf.valueAndGrads((q: Tensor, filter: Tensor) =>
      tf.sum(tf.mul(convolution(q, filter, { stride }), dy!))
    )([q, filter!]);
    return { y: convolution(q, filter!, { stride }), sum: y, dx: grads[0]!, dfilter: grads[1]! };
  };
}

/** Kernel size, input and output channels, stride, and the lowest level: of u8 or s8 integers. */
const LAYERS = [[3, 16, 24, 1, 0], [3, 16, 24, 2, 0], [1, 16, 24, 1, -128], [1, 24, 16, 2, 0], [
  3,
  3,
  16,
  1,
  -128,
]] as const;

test("gradients in bfloat16 of integers are those of float64, but for the rounding of dy; forward is the same", (engine) => {
  for (const [kernel, channels, outputs, stride, low] of LAYERS) {
    const x = valuesOf([2, 8, 8, channels], (i) => low + (i * i * 31 + i * 7919) % 256);
    const filter = valuesOf([kernel, kernel, channels, outputs], (i) => ((i * i * 17 + i * 7919) % 16 - 8) / 64);
    const given = wave([2, 8 / stride, 8 / stride, outputs], 1);
    const rounded = mapValues(given, (value) => {
      const bits = new Uint32Array(Float32Array.of(value).buffer);
      return new Float32Array(Uint32Array.of((bits[0]! + 0x8000) & 0xffff0000).buffer)[0]!;
    });
    const program = layer(stride, low), options = { stride, padding: (kernel - 1) / 2 };
    // sums of at most 8 x 8 x 2 products in float32, where dy is exact
    for (const [dy, tolerance] of [[given, 1e-2], [rounded, 2e-6]] as const) {
      const inputs = { x: tensorOf(x), filter: tensorOf(filter), dy: tensorOf(dy) };
      const both = (["bf16", "float32"] as const).map((precision) => {
        const compiled = engine.compile(program, { precision, large: 1 }), results = compiled(inputs);
        compiled.dispose();
        return results;
      });
      const expected = convolveGradients({ x, filter, dy }, options), [half, full] = both;
      for (const name of ["dx", "dfilter"] as const) {
        const error = distance(half![name]!.dataSync(), expected[name].values);
        assert.ok(error <= tolerance, `${name} of ${kernel} x ${kernel}, stride ${stride}: ${error}`);
      }
      if (dy === given) assert.notDeepEqual(half!.dx!.dataSync(), full!.dx!.dataSync());
      assert.deepEqual(half!.y!.dataSync(), full!.y!.dataSync());
      tf.dispose([inputs, both] as unknown as Tensor[]);
    }
  }
});

test("what follows an input gradient survives bfloat16: the masks of relu and of a clip, and a residual sum", (engine) => {
  const step = ({ x, filter }: Named) => {
    const loss = (x: Tensor) => {
      const h = relu(convolution(x, filter!, { stride: 1 }));
      const q = roundClip(tf.add(h, x), { low: 0, high: 3 });
      return tf.sum(tf.square(tf.add(convolution(q, filter!, { stride: 1 }), h)));
    };
    return { dx: tf.grad(loss)(x!) };
  };
  const inputs = { x: tensorOf(wave([2, 8, 8, 16], 1)), filter: tensorOf(wave([3, 3, 16, 16], 2)) };
  const [half, full] = (["bf16", "float32"] as const).map((precision) => {
    const program = engine.compile(step, { precision, large: 1 }), { dx } = program(inputs);
    program.dispose();
    return dx!.dataSync();
  });
  const error = distance(half!, full!);
  assert.ok(error > 0 && error <= 1e-2, `${error}`); // two roundings to 8 bits, over sums of 144
  tf.dispose(inputs);
});

test("NaN and infinity show in gradients in bfloat16, from dy, from a filter, and from the bytes of an input", (engine) => {
  const program = engine.compile(layer(1, 0), { precision: "bf16", large: 1 });
  const shapes = { x: [2, 8, 8, 16], filter: [3, 3, 16, 16], dy: [2, 8, 8, 16] };
  const seen = { x: ["dfilter"], filter: ["dx"], dy: ["dx", "dfilter"] } as const;
  for (const name of ["x", "filter", "dy"] as const) {
    for (const bad of name === "x" ? [NaN] : [NaN, Infinity, -Infinity]) {
      const inputs = Object.fromEntries(
        Object.entries(shapes).map(([own, shape]) => {
          return [own, tensorOf(valuesOf(shape, (i) => own === name && i === 5 ? bad : 1))];
        }),
      );
      const results = program(inputs);
      for (const result of seen[name]) {
        assert.ok(!results[result]!.dataSync().every(Number.isFinite), `${bad} of ${name} in ${result}`);
      }
      tf.dispose([inputs, results] as unknown as Tensor[]);
    }
  }
  program.dispose();
});

test("precision bf16 changes no byte of what is compiled without it; each has an engine of its own", async (engine) => {
  const other = await openEngine("onednn", { precision: "bf16" });
  assert.deepEqual([engine.precision, other.precision], ["float32", "bf16"]);
  assert.match(other.description, /gradients in bf16, 1 thread$/);
  assert.equal(await openEngine("onednn"), engine);
  const inputs = {
    x: tensorOf(wave([2, 8, 8, 16], 1)),
    filter: tensorOf(wave([3, 3, 16, 16], 2)),
    dy: tensorOf(wave([2, 8, 8, 16], 3)),
  };
  const bytes = (from: Engine, options = {}) => {
    const program = from.compile(layer(1, 0), options), { dx } = program(inputs);
    program.dispose();
    return dx!.dataSync();
  };
  assert.deepEqual(bytes(engine), bytes(other, { precision: "float32" }));
  assert.deepEqual(bytes(other), bytes(engine, { precision: "bf16" }));
  assert.notDeepEqual(bytes(engine), bytes(other));
  tf.dispose(inputs);
});

Deno.test("fuse() makes one copy in bfloat16 for all gradients that read a tensor, of the bytes where there are some", () => {
  const x = makeUse([1, 8, 8, 16], "float32", { input: 0 }), dy = makeUse(x.shape, "float32", { input: 1 });
  const filter = makeUse([3, 3, 16, 16], "float32", { input: 2 }), q = makeUse(x.shape, "float32");
  const dx = makeUse(x.shape, "float32"), dfilter = makeUse(filter.shape, "float32");
  const attrs = { strides: 1, pad: "same", dataFormat: "NHWC", dilations: 1 };
  const graph: Graph = {
    nodes: [
      { kernel: "RoundClip", inputs: { x }, attrs: { low: 0, high: 15 }, outputs: [q] },
      { kernel: "Conv2DBackpropInput", inputs: { dy, filter }, attrs, outputs: [dx] },
      { kernel: "Conv2DBackpropFilter", inputs: { x: q, dy }, attrs, outputs: [dfilter] },
    ],
    inputs: [x, dy, filter],
    outputs: [dx, dfilter],
  };
  const kinds = (bfloat16: boolean) =>
    fuse(graph, { bytesAreExact: true, large: 1, bfloat16 }).nodes.filter(({ kernel }) => kernel !== "Chain")
      .map(({ kernel, inputs }) => [kernel, ...Object.values(inputs).map(({ value }) => value.type)].join(" "));
  assert.deepEqual(kinds(true), [
    "Convert float32",
    "Conv2DBackpropInput bf16 float32",
    "Convert u8 float32",
    "Conv2DBackpropFilter bf16 bf16",
  ]);
  assert.deepEqual(kinds(false), [
    "Conv2DBackpropInput float32 float32",
    "Convert u8 float32",
    "Conv2DBackpropFilter float32 float32",
  ]);
});

/** `engine doctor` in bfloat16, in a process of its own. */
async function doctor(name: string, env: Record<string, string> = {}) {
  const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", main, "engine", "doctor", "--engine", name, "--precision", "bf16"],
    env,
    stdout: "piped",
    stderr: "piped",
  }).output();
  const [out, said] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes).trim());
  return { code, out: out!, said: said! };
}

test("the doctor finds every kernel right in bfloat16, and oneDNN takes none of its slow ones", async () => {
  const { code, out } = await doctor("onednn", { ONEDNN_VERBOSE: "1" });
  assert.match(out, /^All \d+ results are right \(relative error at most 0.01\)$/m);
  assert.equal(code, 0);
  const kernels = out.split("\n").filter((line) => line.startsWith("onednn_verbose,exec") && line.includes("bf16"));
  assert.ok(kernels.length > 100, `${kernels.length} kernels`);
  assert.deepEqual(kernels.filter((line) => /,(ref|simple)\b/.test(line)), []);
});

Deno.test({
  name: "bfloat16 is refused in one sentence where the processor, or the engine, lacks it",
  ignore: !ENGINES.includes("onednn"),
  async fn() {
    const old = await doctor("onednn", { ONEDNN_MAX_CPU_ISA: "AVX2" });
    assert.deepEqual([old.code, old.said], [
      2,
      "Cannot compute in bf16 as engine onednn may use AVX2 here, and that takes AVX512_BF16 or AMX: " +
      "take --precision float32",
    ]);
    await assert.rejects(() => openEngine("wasm", { precision: "bf16" }), {
      name: "InputError",
      message: "Cannot compute in bf16 as engine wasm does not have it: take --engine onednn, or leave --precision out",
    });
  },
});
