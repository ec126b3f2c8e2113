import assert from "node:assert/strict";
import { cutout, drawCutout } from "../../src/data/strong.ts";
import { stream } from "../../src/random/stream.ts";

Deno.test("cutout() fills its rows and columns with grey and nothing else", () => {
  const bytes = new Uint8Array(4 * 5 * 3).fill(1);
  cutout({ bytes, shape: [4, 5, 3] }, { top: 1, bottom: 3, left: 2, right: 5 });
  for (let i = 0; i < bytes.length; i++) {
    const y = Math.floor(i / 15), x = Math.floor(i / 3) % 5;
    assert.equal(bytes[i], y >= 1 && y < 3 && x >= 2 ? 127 : 1, `row ${y}, column ${x}`);
  }
});

Deno.test("drawCutout() is a square of 16 on an image of 32 about any pixel, cut off at the edges", () => {
  const middles = new Set<number>();
  for (let a = 0; a < 4000; a++) {
    const box = drawCutout(stream({ seed: 1, purpose: "synthetic", a }), [32, 32, 3]);
    for (const [start, end] of [[box.top, box.bottom], [box.left, box.right]] as const) {
      const middle = start > 0 ? start + 8 : end - 8; // the side that is not cut tells the middle
      assert.deepEqual([start, end], [Math.max(0, middle - 8), Math.min(32, middle + 8)]);
      middles.add(middle);
    }
  }
  assert.deepEqual([...middles].sort((a, b) => a - b), Array.from({ length: 32 }, (_, i) => i));
});
