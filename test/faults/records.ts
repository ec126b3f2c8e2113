import type { RunRecord } from "../../src/record/record.ts";

/** What a record says, byte for byte, save timings and the state of the checkout, which may change during a test. */
export function withoutTimings(record: RunRecord): string {
  const { startedAt: _a, wallSeconds: _b, cpuSeconds: _c, imagesPerSecond: _d, peakMemoryMiB: _e, ...rest } = record;
  return JSON.stringify({ ...rest, environment: { ...rest.environment, commit: null, dirty: null } });
}
