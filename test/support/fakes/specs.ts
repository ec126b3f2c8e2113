import { fileURLToPath } from "node:url";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { LockTimes } from "../../../src/store/locks.ts";
import { runId, type RunSpec } from "../../../src/record/spec.ts";

/** Short enough for a test, long enough for a busy machine. */
export const TEST_LOCK_TIMES: LockTimes = { beatMs: 100, staleMs: 3000, lookMs: 50 };

/** A full-precision spec of a tiny run. */
export function fpSpec(overrides: Partial<RunSpec> = {}): RunSpec {
  return {
    schema: 1,
    protocol: "smoke",
    arm: "fp",
    method: { name: "fp", options: {} },
    model: "resnet8",
    dataset: { name: "cifar10", trainExamples: 128, heldOut: 0, testExamples: 100, evaluateOn: "test" },
    quantization: null,
    recipe: {
      version: 1,
      epochs: 1,
      batchSize: 64,
      learningRate: 0.1,
      momentum: 0.9,
      weightDecay: 0,
      warmupEpochs: 0,
      augmentation: "none",
    },
    seed: 0,
    engine: "wasm",
    teacher: null,
    ...overrides,
  };
}

/** A quantized spec that starts from `teacher`. */
export function studentSpec(arm: string, teacher: RunSpec): RunSpec {
  return fpSpec({
    arm,
    method: { name: "qat", options: {} },
    quantization: {
      quantizer: "lsq",
      weightBits: 2,
      activationBits: 4,
      firstLastBits: 8,
      calibrationExamples: 100,
    },
    seed: teacher.seed,
    teacher: runId(teacher),
  });
}

/** Program and arguments of the fake child: behaviours as `ARM=BEHAVIOUR`. */
export function fakeCommand(behaviours: readonly string[] = []): string[] {
  const main = fileURLToPath(new URL("./child_main.ts", import.meta.url));
  const clock = Deno.env.get("FAKE_CLOCK") === undefined ? [] : ["clock=back"];
  return [Deno.execPath(), "run", "-A", "--quiet", "--no-check", main, ...clock, ...behaviours];
}

/** What the fake runs below `out` traced, line by line. */
export function traceOf(out: string): string[] {
  try {
    return readFileSync(join(out, "trace.txt"), "utf8").trim().split("\n");
  } catch {
    return [];
  }
}

/** Runs `body` with a new folder and deletes it afterwards. */
export async function withFolder(body: (folder: string) => Promise<void> | void): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "requant-" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
