import { join } from "node:path";
import { InputError } from "../errors.ts";
import { readTextIfThere, writeFileAtomic } from "./files.ts";
import { type Measurement, measurementSchema, parseMeasurement } from "../record/measurement.ts";
import { runFolder } from "./store.ts";

/** The file of one measurement of a run: `<out>/runs/<id>/measurements/<name>.json`. */
export function measurementFile(out: string, id: string, name: string): string {
  return join(runFolder(out, id), "measurements", `${name}.json`);
}

/** Writes a measurement in place of an earlier one. @throws {InputError} If the system refuses. */
export function writeMeasurement(out: string, measurement: Measurement): void {
  const text = JSON.stringify(measurementSchema.parse(measurement), null, 2) + "\n";
  writeFileAtomic(measurementFile(out, measurement.run, measurement.name), text);
}

/**
 * A measurement of a run; null: there is none.
 * @throws {InputError} If it is no JSON, of another schema, or of another run or measurement.
 */
export function readMeasurement(out: string, id: string, name: string): Measurement | null {
  const path = measurementFile(out, id, name), text = readTextIfThere(path);
  if (text === null) return null;
  const measurement = parseMeasurement(parseJson(text, path), path);
  if (measurement.run !== id || measurement.name !== name) {
    throw new InputError(
      `Cannot take the measurement in ${path} as it is ${measurement.name} of run ${measurement.run}: delete it`,
    );
  }
  return measurement;
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new InputError(`Cannot read the measurement in ${path} as it is cut in half or no JSON: delete it`);
  }
}

/** The names in a folder; none where there is no such folder. */
function namesIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return [];
    throw error;
  }
}

/** All measurements of a run, by name. @throws {InputError} If one cannot be read. */
export function readMeasurements(out: string, id: string): Measurement[] {
  const names = namesIn(join(runFolder(out, id), "measurements")).sort();
  return names.flatMap((file) => file.endsWith(".json") ? readMeasurement(out, id, file.slice(0, -5)) ?? [] : []);
}

/** The checkpoints that `bench --keep-epochs` kept of a run: `checkpoints/epoch-<n>.safetensors`, by epoch. */
export function keptCheckpoints(out: string, id: string): { epoch: number; path: string }[] {
  const folder = join(runFolder(out, id), "checkpoints");
  const kept = namesIn(folder).flatMap((name) => {
    const match = /^epoch-(\d+)\.safetensors$/.exec(name);
    return match ? [{ epoch: Number(match[1]), path: join(folder, name) }] : [];
  });
  return kept.sort((a, b) => a.epoch - b.epoch);
}
