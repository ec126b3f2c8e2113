import assert from "node:assert/strict";
import { decodeIdx } from "../../datasets/fashion_mnist/load.ts";

Deno.test("decodeIdx() reads big-endian dimensions and the values behind them", () => {
  const file = Uint8Array.of(0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6);
  const { shape, values } = decodeIdx(file);
  assert.deepEqual(shape, [2, 3]);
  assert.deepEqual([...values], [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(decodeIdx(Uint8Array.of(0, 0, 8, 1, 0, 0, 1, 0, ...new Uint8Array(256))).shape, [256]);
});

Deno.test("decodeIdx() refuses another format, a cut header and a wrong length", () => {
  const refused = (bytes: number[], message: string) =>
    assert.throws(() => decodeIdx(Uint8Array.from(bytes)), { message });
  refused([], "it is no IDX file of bytes");
  refused([0, 0, 13, 1, 0, 0, 0, 0], "it is no IDX file of bytes");
  refused([0, 0, 8, 2, 0, 0, 0, 2], "it is no IDX file of bytes");
  refused([0, 0, 8, 1, 0, 0, 0, 3, 1, 2], "it holds 2 values where its header says 3");
});
