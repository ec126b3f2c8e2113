/** TF32, a GPU's fast multiplication: float32 operands rounded to 10 bits of mantissa, products summed in float32. */
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { searchLibtensorflow } from "../../src/engine/locate.ts";
import { openEngine } from "../../src/engine/mod.ts";
import { openSymbols } from "../../src/engine/tensorflow/ffi.ts";
import { type GraphOutput, Recorder } from "../../src/engine/tensorflow/recorder.ts";
import { convolution, roundClip } from "../../src/engine/ops.ts";
import { ATTR, DTYPE } from "../../src/engine/tensorflow/runtime.ts";
import type { Engine, Precision } from "../../src/engine/types.ts";
import { createMethod } from "../../src/methods/mod.ts";
import { modelNamed } from "../../src/nn/mod.ts";
import type { Leaves } from "../../src/tree.ts";
import { forward, normaliseImages } from "../../src/train/forward.ts";
import { quantizationOf } from "../../src/train/quantization.ts";
import { startTensors } from "../../src/train/setup.ts";
import { ENGINES } from "../support/engines.ts";
import { tinyDataset, tinySpec } from "../support/runs.ts";
import { useXlaFlags } from "../support/xla.ts";

/** A float32 rounded to 10 bits of mantissa, ties to even: 13 bits are lost. */
function toTf32(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer), odd = (bits[0]! >>> 13) & 1;
  bits[0] = ((bits[0]! + 0xfff + odd) >>> 13) << 13;
  return new Float32Array(bits.buffer)[0]!;
}

Deno.test("TF32 holds every integer up to 2048 exactly, so the integers of quantized layers of up to 11 bits", () => {
  for (let q = -2048; q <= 2048; q++) assert.equal(toTf32(q), q);
  assert.equal(toTf32(2049), 2048);
});

Deno.test("TF32 loses bits of the weight alone where the other operand is an integer", () => {
  let worst = 0;
  for (let i = 1; i <= 1000; i++) {
    const weight = Math.fround(0.1 * Math.sin(1.7 * i)), q = i % 256;
    assert.equal(toTf32(q) * toTf32(weight), q * toTf32(weight));
    worst = Math.max(worst, Math.abs(toTf32(weight) - weight) / Math.abs(weight));
  }
  assert.ok(worst <= 2 ** -11 && worst > 2 ** -13, `worst relative error ${worst}`);
});

Deno.test({
  name: "libtensorflow has the switch of TF32 that the engine turns off on a GPU",
  ignore: !ENGINES.includes("tensorflow"),
  async fn() {
    await openEngine("tensorflow");
    if (Deno.env.get("NVIDIA_TF32_OVERRIDE") !== "1") assert.equal(Deno.env.get("NVIDIA_TF32_OVERRIDE"), "0");
    // the library is open already: these are the functions of the same one
    const {
      _ZN3tsl32enable_tensor_float_32_executionEb: enable,
      _ZN3tsl33tensor_float_32_execution_enabledEv: enabled,
    } = openSymbols((await searchLibtensorflow()).found!.library);
    const before = enabled!();
    enable!(!before);
    assert.equal(enabled!(), !before);
    enable!(before);
    assert.equal(enabled!(), before);
  },
});

const MULTIPLIES = /^(Conv2D|Conv2DBackprop.*|DepthwiseConv2dNative.*|BatchMatMulV2)$/;

/** What `body` records has the operands of every product rounded to TF32, but those that XLA is told to keep. */
function withRoundedOperands<Result>(body: () => Result): Result {
  const own = Recorder.prototype.record;
  const attribute = (name: string, value: number) => ({ name, type: ATTR.type, value });
  Recorder.prototype.record = function (op, attributes, options) {
    if (!MULTIPLIES.test(op)) return own.call(this, op, attributes, options);
    const int = attribute("T", DTYPE.int32), float = attribute("T", DTYPE.float32);
    const one = (op: string, attributes: Parameters<typeof own>[1], inputs: GraphOutput[]) =>
      own.call(this, op, attributes, { inputs, outputs: 1 })[0]!;
    const inputs = options.inputs.map((x) => {
      if (this.dtypeOf(x) !== DTYPE.float32) return x;
      const bits = one("Bitcast", [float, attribute("type", DTYPE.int32)], [x]);
      const up = one("AddV2", [int], [bits, this.constant([0x1000], [])]); // ties away from 0: no integer is a tie
      const cut = one("BitwiseAnd", [int], [up, this.constant([~0x1fff], [])]);
      return one("Bitcast", [int, attribute("type", DTYPE.float32)], [cut]);
    });
    return own.call(this, op, attributes, { ...options, inputs });
  };
  try {
    return body();
  } finally {
    Recorder.prototype.record = own;
  }
}

/** A network's forward pass in training. */
interface Case {
  readonly model: string;
  readonly quantizer: string | null;
  readonly bits: number;
  /** Layers that stay float32. */
  readonly float32: readonly string[];
}

/** Outputs of every convolution and the logits of a small batch by XLA, as bits, and the layers that stay float32. */
function passes(engine: Engine, { model: name, quantizer, bits }: Case) {
  const dataset = tinyDataset(),
    spec = tinySpec(quantizer === null ? "fp" : "qat", {
      model: name,
      quantization: quantizer === null
        ? null
        : { quantizer, weightBits: bits, activationBits: bits, firstLastBits: 8, calibrationExamples: 20 },
    });
  const model = modelNamed(name).build({ classes: 10, imageChannels: 3 });
  const quantization = quantizationOf(model, spec.quantization), method = createMethod(spec.method);
  const indices = Uint32Array.from({ length: 40 }, (_, i) => i);
  const { params, state, ...rest } = startTensors(engine, {
    ...{ spec, model, method, quantization, dataset, indices, teacher: null },
  });
  const images = tf.tensor(Int32Array.from(dataset.train.images.slice(0, 4 * 192)), [4, 8, 8, 3], "int32");
  const run = (precision: Precision) => {
    const layers: string[] = [];
    const program = engine.compile(
      ({ network, images }: { network: { params: Leaves<Tensor>; state: Leaves<Tensor> }; images: Tensor }) => {
        const outputs: Record<string, Tensor> = {};
        const { logits } = forward(model, quantization, {
          network,
          images: normaliseImages(images, dataset),
          training: true,
          quantized: quantization !== null,
          hooks: { output: (layer, y) => void (outputs[layer.path] = y) },
        });
        return { ...outputs, logits };
      },
      { xla: true, precision, float32: (layer) => layers.push(layer) },
    );
    const results = program({ network: { params, state }, images }) as Record<string, Tensor>;
    const found = Object.entries(results).map(([path, y]) => [path, [...new Int32Array(y.dataSync().buffer)]] as const);
    tf.dispose(results);
    program.dispose();
    return { outputs: Object.fromEntries(found), layers };
  };
  const done = {
    exact: run("tf32"),
    rounded: withRoundedOperands(() => run("tf32")),
    unprotected: withRoundedOperands(() => run("float32")),
  };
  tf.dispose([params, state, images, rest] as unknown as Tensor[]);
  return done;
}

if (ENGINES.includes("tensorflow")) {
  useXlaFlags();

  const cases: readonly Case[] = [
    { model: "resnet8", quantizer: "lsq", bits: 4, float32: [] },
    // 3 x 3 x 64 products of up to 255 x 128
    { model: "resnet8", quantizer: "lsq", bits: 8, float32: ["stage3/block0/conv2"] },
    { model: "resnet8", quantizer: "lsq_asymmetric", bits: 4, float32: [] },
  ];
  for (const each of cases) {
    Deno.test(
      `a forward pass of ${each.model} on ${each.quantizer} at ${each.bits} bits has the same bits in TF32`,
      async () => {
        const { exact, rounded, unprotected } = passes(await openEngine("tensorflow"), each);
        assert.ok(Object.keys(exact.outputs).length > 8);
        assert.deepEqual(rounded.outputs, exact.outputs);
        assert.notDeepEqual(unprotected.outputs, exact.outputs);
        assert.deepEqual(exact.layers, each.float32);
      },
    );
  }

  Deno.test("depthwise, padded and signed products of integers have the same bits in TF32", async () => {
    const engine = await openEngine("tensorflow"),
      wave = (shape: number[], factor: number) =>
        tf.tensor(
          Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => factor * Math.sin(1.7 * i)),
          shape,
        );
    const inputs = {
      x: wave([2, 6, 6, 4], 9),
      w: wave([3, 3, 1, 4], 9),
      s: tf.tensor1d([0.1, 0.3, 0.7, 1.1]),
      z: tf.scalar(3),
    };
    const run = () => {
      const program = engine.compile(({ x, w, s, z }: typeof inputs) => {
        const q = tf.sub(roundClip(x, { low: 0, high: 15 }), z);
        const filter = tf.reshape(tf.mul(roundClip(w, { low: -8, high: 7 }), s), [3, 3, 4, 1]);
        return convolution(q, filter, { stride: 2, depthwise: true });
      }, { xla: true, precision: "tf32", float32: (layer) => assert.fail(layer) });
      const y = program(inputs), bits = new Int32Array(y.dataSync().buffer);
      tf.dispose(y);
      program.dispose();
      return bits;
    };
    assert.deepEqual(withRoundedOperands(run), run());
    tf.dispose(inputs);
  });

  Deno.test("quantizers whose values are no integers stay float32 in TF32, by name", async () => {
    const engine = await openEngine("tensorflow");
    for (const quantizer of ["lsq_plus", "pact"]) {
      const { exact, rounded } = passes(engine, { model: "resnet8", quantizer, bits: 4, float32: [] });
      assert.ok(exact.layers.includes("stage1/block0/conv1"), exact.layers.join(", "));
      assert.deepEqual(rounded.outputs, exact.outputs);
    }
  });

  Deno.test("networks in full precision are rounded in TF32, as PyTorch's are", async () => {
    const none = { model: "resnet8", quantizer: null, bits: 32, float32: [] };
    const { exact, rounded } = passes(await openEngine("tensorflow"), none);
    assert.notDeepEqual(rounded.outputs, exact.outputs);
    assert.deepEqual(exact.layers, []);
  });

  Deno.test("openEngine() refuses TF32 where there is no GPU", async () => {
    await assert.rejects(() => openEngine("tensorflow", { precision: "tf32" }), {
      name: "InputError",
      message: "Cannot compute in tf32 as engine tensorflow found no GPU: use a machine with one, or take " +
        "--precision float32",
    });
  });
}
