/** Files of a report: written where they differ, or checked. */
import { basename, dirname, join } from "node:path";
import type { ReportFile } from "../report/mod.ts";
import { namesIn, readTextIfThere, writeError } from "../store/files.ts";
import type { Output } from "./console.ts";

/** Pages of runs, of which there may be thousands. */
const RUN_PAGES = "site/runs";
/** Files that `--check` names; of thousands nobody reads more. */
const MOST_NAMED = 20;
const RUN_PAGE = /^site\/runs\/[0-9a-f]{16}\.html$/;

/** A folder for the files, and a listener. */
interface Target extends Output {
  readonly out: string;
}

/** Finds pages of runs that no record has any more, relative to the output folder. */
function leftOver(files: readonly ReportFile[], out: string): string[] {
  if (!files.some(({ path }) => path.startsWith("site/"))) return []; // a site that was not asked for stays
  const wanted = new Set(files.map(({ path }) => path)), names = namesIn(join(out, RUN_PAGES));
  return names.map((name) => `${RUN_PAGES}/${name}`).filter((path) => RUN_PAGE.test(path) && !wanted.has(path));
}

/**
 * Writes what is not there yet, and removes the pages of runs that are in no record. Generated files can be made again, so
 * they are written in place and not flushed one by one.
 *
 * @returns The exit code, 0.
 * @throws {InputError} If the system refuses.
 */
export function writeFiles(files: readonly ReportFile[], { out, stdout }: Target): number {
  const present = new Map<string, ReadonlySet<string>>();
  let runPages = 0;
  for (const { path, text } of files) {
    const target = join(out, path), folder = dirname(target);
    const names = present.get(folder) ?? madeFolder(folder, target);
    present.set(folder, names);
    // a file that is not there costs an exception to read: thousands of them would take longer than the writing
    const isSame = names.has(basename(target)) && readTextIfThere(target) === text;
    if (!isSame) refusing(target, () => Deno.writeTextFileSync(target, text));
    if (RUN_PAGE.test(path)) runPages++;
    else stdout(`Wrote ${target}\n`);
  }
  if (runPages > 0) stdout(`Wrote ${runPages} pages of runs to ${join(out, RUN_PAGES)}\n`);
  for (const path of leftOver(files, out)) {
    refusing(join(out, path), () => Deno.removeSync(join(out, path)));
    stdout(`Removed ${join(out, path)}, a page of a run that no record has\n`);
  }
  return 0;
}

/** Makes a folder for a file. @returns The names in it. */
function madeFolder(folder: string, target: string): ReadonlySet<string> {
  refusing(target, () => Deno.mkdirSync(folder, { recursive: true }));
  return new Set(namesIn(folder));
}

function refusing(path: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    throw writeError(error, path);
  }
}

/** @returns The exit code: 0 all files are what they should be, 1 some are not, and are named. */
export function checkFiles(files: readonly ReportFile[], { out, stdout, stderr }: Target): number {
  const stale = files.flatMap(({ path, text }) => {
    const committed = readTextIfThere(join(out, path));
    if (committed === text) return [];
    return [`${join(out, path)} ${committed === null ? "is missing" : "is not what the records give"}`];
  });
  const wrong = [...leftOver(files, out).map((path) => `${join(out, path)} is of no record`), ...stale];
  if (wrong.length === 0) {
    stdout(`All ${files.length} files are what the records give\n`);
    return 0;
  }
  const rest = wrong.length > MOST_NAMED ? [`and ${wrong.length - MOST_NAMED} more`] : [];
  stderr([...wrong.slice(0, MOST_NAMED), ...rest, "The same command without --check writes them again", ""].join("\n"));
  return 1;
}
