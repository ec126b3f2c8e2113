import assert from "node:assert/strict";
import { measurementNamed, measurementOptions, MEASUREMENTS } from "../../src/measure/mod.ts";

const REFUSED: readonly (readonly [name: string, given: Record<string, unknown>, message: string])[] = [
  [
    "hessian_trace",
    { probes: "abc" },
    'probes to "abc" in measurement hessian_trace as it must be a number: give such as probes=16',
  ],
  [
    "hessian_trace",
    { probes: 1 },
    "probes to 1 in measurement hessian_trace as it must be at least 2: give such as probes=16",
  ],
  [
    "hessian_trace",
    { images: 2.5 },
    "images to 2.5 in measurement hessian_trace as it must be a whole number: give such as images=1024",
  ],
  [
    "hessian_trace",
    { moved: "all" },
    'moved to "all" in measurement hessian_trace as it must be one of latent, quantized: give such as moved=quantized',
  ],
  [
    "output_variance",
    { sigmas: [0.1, -1] },
    "sigmas to [0.1,-1] in measurement output_variance as each of its values must be above 0: " +
    "give such as sigmas=0.05,0.1,0.2,0.4",
  ],
  ["level_span", { probes: 4 }, "probes in measurement level_span as it has no such option: leave it out"],
];

for (const [name, given, message] of REFUSED) {
  Deno.test(`measurementOptions() refuses ${JSON.stringify(given)} of ${name} in one sentence`, () => {
    assert.throws(() => measurementOptions(measurementNamed(name), given), {
      name: "InputError",
      message: `Cannot set ${message}`,
    });
  });
}

Deno.test("every measurement has a default for each of its options", () => {
  for (const measurement of MEASUREMENTS) {
    const defaults = measurementOptions(measurement, {});
    assert.deepEqual(measurementOptions(measurement, defaults), defaults, measurement.name);
  }
});
