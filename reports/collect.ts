import { join } from "node:path";
import { InputError } from "../src/errors.ts";
import { parseRecords } from "../src/report/mod.ts";
import { readTextIfThere, writeFileAtomic } from "../src/runs/files.ts";
import type { RunRecord } from "../src/runs/record.ts";
import { readRecord } from "../src/runs/store.ts";

/** The names in a folder; null: there is no such folder. */
export function namesIn(folder: string): string[] | null {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return null;
    throw error;
  }
}

/**
 * Adds the ended runs below `<out>/runs` to `<records>/<protocol>.jsonl`, one a line, by start. A run that is there
 * already is replaced: so a failure by its repetition.
 *
 * @throws {InputError} If the folder holds no ended run, or a record cannot be read or written.
 */
export function collectRuns(out: string, records: string): { runs: number; files: string[] } {
  const ids = namesIn(join(out, "runs")) ?? [];
  const ended = ids.sort().flatMap((id) => readRecord(out, id) ?? []);
  if (ended.length === 0) {
    throw new InputError(
      `Cannot collect from ${out} as it holds no ended run: name the --out folder of a finished \`deno task bench\``,
    );
  }
  const protocols = [...new Set(ended.map(({ spec }) => spec.protocol))].sort();
  const files = protocols.map((protocol) => {
    const path = join(records, `${protocol}.jsonl`);
    const merged = new Map<string, RunRecord>();
    const before = parseRecords(readTextIfThere(path) ?? "", path);
    for (const record of [...before, ...ended.filter(({ spec }) => spec.protocol === protocol)]) {
      merged.set(record.id, record);
    }
    const lines = [...merged.values()].sort((a, b) => a.startedAt < b.startedAt ? -1 : 1).map((record) =>
      JSON.stringify(record)
    );
    writeFileAtomic(path, lines.join("\n") + "\n");
    return path;
  });
  return { runs: ended.length, files };
}
