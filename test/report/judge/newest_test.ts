import assert from "node:assert/strict";
import { newestOnly } from "../../../src/report/judge/newest.ts";
import { record } from "../fixtures.ts";

type Options = { version?: number; quantizer?: string; revision?: number };

function spec({ version = 1, quantizer = "lsq", revision }: Options) {
  const { spec } = record({ version });
  const quantization = { ...spec.quantization!, quantizer, ...(revision ? { quantizerRevision: revision } : {}) };
  return { ...spec, quantization };
}

function shown(...all: readonly Options[]): boolean[] {
  const specs = all.map(spec);
  return specs.map(newestOnly(specs));
}

Deno.test("newestOnly() keeps the newest revision of a quantizer, and leaves other quantizers alone", () => {
  assert.deepEqual(
    shown({}, { quantizer: "lsq_asymmetric" }, { quantizer: "lsq_asymmetric", revision: 2 }),
    [true, false, true],
  );
});

Deno.test("newestOnly() takes the newest recipe first, whatever revision an older one had", () => {
  assert.deepEqual(shown({ version: 1, revision: 3 }, { version: 2 }), [false, true]);
});
