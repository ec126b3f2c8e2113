import assert from "node:assert/strict";
import { incrementCounter, philox4x32, philox4x32InPlace, type Words2, type Words4 } from "../../src/random/philox.ts";

/** Known answers of Random123, tests/kat_vectors, lines `philox4x32 10`: counter, key, result. */
const KNOWN: readonly [Words4, Words2, string][] = [
  [[0, 0, 0, 0], [0, 0], "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
  [
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    "408f276d 41c83b0e a20bc7c6 6d5451fd",
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    "d16cfe09 94fdcceb 5001e420 24126ea1",
  ],
];

const hex = (words: Iterable<number>) => [...words].map((word) => word.toString(16).padStart(8, "0")).join(" ");

/** The published rounds in 64-bit integers, without the float64 shortcut. */
function philoxByBigInt(counter: readonly bigint[], key: readonly bigint[]): number[] {
  let [c0, c1, c2, c3] = counter as [bigint, bigint, bigint, bigint];
  let [k0, k1] = key as [bigint, bigint];
  const mask = 0xffffffffn;
  for (let round = 0; round < 10; round++) {
    const p0 = 0xd2511f53n * c0, p1 = 0xcd9e8d57n * c2;
    [c0, c1, c2, c3] = [(p1 >> 32n) ^ c1 ^ k0, p1 & mask, (p0 >> 32n) ^ c3 ^ k1, p0 & mask];
    k0 = (k0 + 0x9e3779b9n) & mask;
    k1 = (k1 + 0xbb67ae85n) & mask;
  }
  return [c0, c1, c2, c3].map(Number);
}

Deno.test("philox4x32() gives the known answers of Random123", () => {
  for (const [counter, key, expected] of KNOWN) assert.equal(hex(philox4x32(counter, key)), expected);
});

Deno.test("philox4x32InPlace() replaces the counter by the same block", () => {
  for (const [counter, key, expected] of KNOWN) {
    const block = Uint32Array.from(counter);
    philox4x32InPlace(block, key);
    assert.equal(hex(block), expected);
  }
});

Deno.test("philox4x32() equals the rounds in 64-bit integers on 5,000 chained blocks", () => {
  let counter: Words4 = [1, 0xfffffffe, 3, 0x80000000], key: Words2 = [0xffffffff, 7];
  for (let i = 0; i < 5000; i++) {
    const block = philox4x32(counter, key);
    assert.deepEqual(block, philoxByBigInt(counter.map(BigInt), key.map(BigInt)));
    key = [block[3], counter[0]];
    counter = block;
  }
});

Deno.test("philox4x32() takes words modulo 2^32, so an int32 key equals its uint32", () => {
  assert.deepEqual(philox4x32([-1, -1, -1, -1], [-1, -1]), philox4x32(KNOWN[1]![0], KNOWN[1]![1]));
});

Deno.test("incrementCounter() carries into the next words and wraps at 2^128", () => {
  const counter = Uint32Array.of(0xffffffff, 0xffffffff, 4, 5);
  incrementCounter(counter);
  assert.deepEqual([...counter], [0, 0, 5, 5]);
  const last = new Uint32Array(4).fill(0xffffffff);
  incrementCounter(last);
  assert.deepEqual([...last], [0, 0, 0, 0]);
});
