import type { RunRecord } from "../../src/record/record.ts";

/**
 * Bytes of a record without timings, what depends on them, and the state of the checkout, which may change during a test.
 */
export function withoutTimings(record: RunRecord): string {
  const { startedAt: _a, wallSeconds: _b, cpuSeconds: _c, imagesPerSecond: _d, peakMemoryMiB: _e, ...rest } = record;
  const { checksum: _f, otherEnvironments: _g, ...result } = rest;
  return JSON.stringify({ ...result, environment: { ...result.environment, commit: null, dirty: null } });
}
