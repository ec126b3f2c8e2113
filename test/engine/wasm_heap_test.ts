import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import { InputError } from "../../src/errors.ts";
import { openWasmEngine } from "../../src/engine/wasm/engine.ts";
import { guardHeap, type Heap } from "../../src/engine/wasm/heap.ts";

await openWasmEngine();

const ROOM = "as engine wasm has at most 4 GiB for all tensors: use a smaller model or batch, or engine tensorflow";

/** A heap that has room for tensors below 1 MiB and replaces itself at its first call, as Emscripten's does. */
function smallHeap(): Heap {
  const malloc = (bytes: number) => bytes < 2 ** 20 ? -16 : 0; // addresses beyond 2 GiB come as negative integers
  const heap: Heap = { _malloc: (bytes) => (heap._malloc = malloc)(bytes), _free() {} };
  return heap;
}

Deno.test("guardHeap() refuses what there is no room for, in one sentence, and passes on all else", () => {
  const heap = smallHeap();
  guardHeap(heap);
  assert.equal(heap._malloc(1000), -16);
  for (const [bytes, size] of [[2 ** 21, "2.0"], [2 ** 32 + 8, "4096.0"]] as const) { // 2^32 + 8 would wrap around to 8
    assert.throws(() => heap._malloc(bytes), (error) => {
      assert.ok(error instanceof InputError);
      assert.equal(error.message, `Cannot make a tensor of ${size} MiB ${ROOM}`);
      return true;
    });
    assert.equal(heap._malloc(8), -16);
  }
});

Deno.test("guardHeap() lets a tensor without elements be at address 0", () => {
  const heap: Heap = { _malloc: () => 0, _free() {} };
  guardHeap(heap);
  assert.equal(heap._malloc(0), 0);
});

Deno.test("the wasm engine refuses a tensor that its memory cannot hold, and goes on", () => {
  const before = tf.memory().numTensors, wasm = (tf.backend() as BackendWasm).wasm as unknown as Heap;
  // 4 GiB and 32 bytes: asks for no memory, as no address reaches so far
  const wide = () => tf.tidy(() => tf.tile(tf.ones([1, 8]), [2 ** 27 + 1, 1]));
  assert.throws(wide, { name: "InputError", message: `Cannot make a tensor of 4096.0 MiB ${ROOM}` });
  assert.equal(tf.memory().numTensors, before);
  assert.ok(wasm._malloc(8) !== 0);
  assert.deepEqual(Array.from(tf.tidy(() => tf.add(tf.tensor1d([1, 2]), 1)).dataSync()), [2, 3]);
});
