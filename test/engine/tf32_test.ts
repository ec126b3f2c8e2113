/** TF32, a GPU's fast multiplication: float32 operands rounded to 10 bits of mantissa, products summed in float32. */
import assert from "node:assert/strict";
import { locateLibtensorflow } from "../../src/engine/locate.ts";
import { openEngine } from "../../src/engine/mod.ts";
import { openSymbols } from "../../src/engine/tensorflow/ffi.ts";
import { ENGINES } from "../support/engines.ts";

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
    } = openSymbols((await locateLibtensorflow())!.library);
    const before = enabled!();
    enable!(!before);
    assert.equal(enabled!(), !before);
    enable!(before);
    assert.equal(enabled!(), before);
  },
});
