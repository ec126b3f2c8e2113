/** A grid of tiny fake runs in processes of its own, and what must be left of it after any fault. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { RunRecord } from "../../src/record/record.ts";
import { runId, type RunSpec } from "../../src/record/spec.ts";
import { readRecord } from "../../src/store/store.ts";
import { fpSpec, studentSpec } from "../support/fakes/specs.ts";

/** True: the long form, `deno task dev:soak`. */
export const SOAK = Deno.env.get("REQUANT_SOAK") === "1";

/** Counts of a fault: `short` in CI, `long` by `deno task dev:soak`. */
export function times(short: number, long: number): number {
  return SOAK ? long : short;
}

/** Two teachers with two students each. */
export const GRID: readonly RunSpec[] = [0, 1].flatMap((seed) => {
  const teacher = fpSpec({ seed });
  return [teacher, studentSpec("lsq", teacher), studentSpec("other", teacher)];
});

/** `bench` without its tables: a pool as a process. Arms with the behaviour `steps` take 30 steps of 10 ms. */
export function startPool(
  out: string,
  behaviours: readonly string[] = ["fp=steps", "lsq=steps", "other=steps"],
  { env = {}, writeSpecs = true }: { env?: Record<string, string>; writeSpecs?: boolean } = {},
) {
  const main = fileURLToPath(new URL("../support/fakes/pool_main.ts", import.meta.url));
  const specs = join(out, "specs.json");
  Deno.mkdirSync(out, { recursive: true });
  if (writeSpecs) Deno.writeTextFileSync(specs, JSON.stringify(GRID));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", main, specs, out, ...behaviours],
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const said = new Response(child.stderr).text();
  const printed = new Response(child.stdout).text();
  return {
    child,
    /** Its exit code and what it said. */
    ended: async () => ({ code: (await child.status).code, stdout: await printed, stderr: await said }),
  };
}

/** Runs the grid to its end, undisturbed. */
export async function runGrid(out: string): Promise<void> {
  const { code, stderr } = await startPool(out).ended();
  assert.equal(code, 0, stderr);
}

/** Content of a record without timings and machine. A fake run's first step says where it was resumed. */
function numbers(record: RunRecord | null): unknown {
  if (record === null) return null;
  const { id, spec, status, reason, metrics, curve, dataSha256 } = record;
  const epochs = curve.map((epoch) => ({ ...epoch, metrics: {} }));
  return { id, spec, status, reason, metrics: { ...metrics, firstStep: 0 }, epochs, dataSha256 };
}

/** What is left of the grid in a folder. */
export function recordsOf(out: string): unknown[] {
  return GRID.map((spec) => numbers(readRecord(out, runId(spec))));
}

/** The records that an undisturbed grid ends with: every fake run has them by its spec alone. */
export async function undisturbed(): Promise<unknown[]> {
  const out = await Deno.makeTempDir({ prefix: "requant-" });
  try {
    await runGrid(out);
    return recordsOf(out);
  } finally {
    await Deno.remove(out, { recursive: true });
  }
}
