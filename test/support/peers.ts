/** Peer measurements made up for tests. */
import type { PeerMeasurement, Sample, Side, SideName } from "../../perf/peers/measurement.ts";
import { RECIPE, RULE } from "../../perf/peers/steps.ts";

/** A process of a side; its processor had it half the time. */
export function sample(seconds: number, overrides: Partial<Sample> = {}): Sample {
  return {
    seconds,
    cpuSeconds: seconds / 2,
    steps: 5,
    losses: [2.5, 2.4, 2.3],
    peakBytes: 2 ** 30,
    versions: {},
    ...overrides,
  };
}

/** A side with a round for every sample. */
export function side(name: SideName, samples: readonly Sample[], notRun: string | null = null): Side {
  return { name, rounds: samples.map((item) => [item]), notRun };
}

/** A measurement of one case: ours 100 images/s in the median, eager 50, torch.compile as given. */
export function measurement(compile: Side): PeerMeasurement {
  return {
    schema: 1,
    environment: {
      date: "2026-11-24",
      os: "linux",
      cpu: "A CPU, 2 cores",
      commit: "abc",
      dirty: false,
      versions: { deno: "2.9.6", torch: "2.13.0" },
      pinned: [1],
      cores: 1,
      othersBusy: 0.934,
      variables: { OMP_NUM_THREADS: "1" },
    },
    rounds: 3,
    rule: RULE,
    recipe: RECIPE,
    cases: [{
      model: "resnet20",
      arm: "lsq_w4a4",
      batch: 128,
      learningRate: 0.05,
      sides: [
        side("requant", [sample(1.28), sample(0.64), sample(2.56)]),
        side("eager", [sample(2.56), sample(2.56), sample(2.56, { cpuSeconds: 2.56, peakBytes: 2 ** 31 })]),
        compile,
      ],
    }],
  };
}

/** torch.compile whose losses agree. */
export const AGREES = side("compile", [sample(1.28), sample(1.28), sample(1.28, { losses: [2.5, 2.4, 2.302] })]);
