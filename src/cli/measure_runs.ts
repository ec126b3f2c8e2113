import { join } from "node:path";
import { InputError } from "../errors.ts";
import type { RunRecord } from "../record/record.ts";
import { readRecord } from "../store/store.ts";
import type { MeasureOptions } from "./measure.ts";

/** Runs that are asked for, and a listener for those that are left out. */
type Choice = Pick<MeasureOptions, "runs" | "methods"> & { readonly say: (line: string) => void };

/**
 * The finished runs that are asked for, by arm, bits and seed. Trials on held-out images are left out: measurements look at
 * test images, which nothing may be chosen by.
 * @throws {InputError} If one that is named is not there, not done or a trial, or if there is none.
 */
export function chosenRuns(out: string, { runs, methods, say }: Choice): RunRecord[] {
  const ids = runFolders(out);
  const records = new Map(ids.map((id) => [id, runs === null || runs.includes(id) ? readRecord(out, id) : null]));
  for (const id of runs ?? []) requireDone(id, { out, ids, record: records.get(id) ?? null });
  const ended = [...records.values()].filter((record) => record?.status === "done") as RunRecord[];
  const done = ended.filter((record) => !isTrial(record)), trials = ended.length - done.length;
  if (done.length === 0) {
    const why = trials > 0 ? "each of its finished runs is a trial on held-out images" : "it holds no finished run";
    throw new InputError(
      `Cannot measure anything in ${out} as ${why}: name the --out folder of a finished \`deno task bench\``,
    );
  }
  if (trials > 0) say(`Left out ${trials} of ${ended.length} finished runs as they are trials on held-out images`);
  const arms = [...new Set(done.map(({ spec }) => spec.arm))].sort();
  const unknown = methods?.find((method) => !arms.includes(method));
  if (unknown !== undefined) {
    throw new InputError(
      `Cannot measure method "${unknown}" as no finished run is of it: choose among ${arms.join(", ")}`,
    );
  }
  return done.filter(({ spec }) => methods?.includes(spec.arm) ?? true).sort((a, b) =>
    orderOf(a) < orderOf(b) ? -1 : 1
  );
}

function isTrial({ spec }: RunRecord): boolean {
  return spec.dataset.evaluateOn === "heldOut";
}

function orderOf({ spec, id }: RunRecord): string {
  const bits = spec.quantization ? `${spec.quantization.weightBits}${spec.quantization.activationBits}` : "00";
  return [spec.arm, spec.model, bits, String(spec.seed).padStart(16, "0"), id].join(" ");
}

function requireDone(
  id: string,
  { out, ids, record }: { out: string; ids: readonly string[]; record: RunRecord | null },
): void {
  if (record?.status === "done" && !isTrial(record)) return;
  const why = record?.status === "done"
    ? "it is a trial on held-out images and measurements look at test images: choose other runs with --runs"
    : !ids.includes(id)
    ? `there is no such run in ${out}: choose among ${ids.join(", ") || "none, as the folder holds no run"}`
    : record === null
    ? "it is not finished: run the same `deno task bench` to its end first"
    : `it ended as ${record.status}: ${record.reason ?? "no reason known"}; choose other runs with --runs`;
  throw new InputError(`Cannot measure run ${id} as ${why}`);
}

function runFolders(out: string): string[] {
  try {
    return [...Deno.readDirSync(join(out, "runs"))].filter(({ isDirectory }) => isDirectory).map(({ name }) => name)
      .sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return [];
    throw error;
  }
}
