import assert from "node:assert/strict";
import { channelStatistics } from "../../src/data/statistics.ts";

Deno.test("channelStatistics() gives mean and population standard deviation of each channel", () => {
  // channel 0: 0, 51, 102, 255; channel 1: 255 four times
  const { mean, std } = channelStatistics(Uint8Array.of(0, 255, 51, 255, 102, 255, 255, 255), 2);
  // (0 + 0.2 + 0.4 + 1) / 4 = 0.4; (0.16 + 0.04 + 0 + 0.36) / 4 = 0.14
  assert.ok(Math.abs(mean[0]! - 0.4) < 1e-12 && Math.abs(std[0]! - Math.sqrt(0.14)) < 1e-12);
  assert.deepEqual([mean[1], std[1]], [1, 0]);
});
