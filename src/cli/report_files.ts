/** Writing and checking the generated files. */
import { basename, dirname, join } from "node:path";
import type { ReportFile } from "../report/mod.ts";
import { readTextIfThere, writeError } from "../store/files.ts";
import { namesIn } from "./report_collect.ts";

/** Pages of runs, of which there may be thousands. */
const RUN_PAGES = "site/runs";
const RUN_PAGE = /^[0-9a-f]{16}\.html$/;

/** Where the files go, and what is said of it. */
export interface Output {
  readonly out: string;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
}

/** Pages of runs that no record has any more, relative to the output folder. */
function leftOver(files: readonly ReportFile[], out: string): string[] {
  const wanted = new Set(files.map(({ path }) => path));
  return (namesIn(join(out, RUN_PAGES)) ?? []).filter((name) => RUN_PAGE.test(name)).map((name) =>
    `${RUN_PAGES}/${name}`
  )
    .filter((path) => !wanted.has(path)).sort();
}

/**
 * Writes what is not there yet, and removes the pages of runs that are in no record. Generated files can be made again, so
 * they are written in place and not flushed one by one.
 *
 * @returns The exit code, 0.
 * @throws {InputError} If the system refuses.
 */
export function writeFiles(files: readonly ReportFile[], { out, stdout }: Output): number {
  const present = new Map<string, ReadonlySet<string>>();
  let runPages = 0;
  for (const { path, text } of files) {
    const target = join(out, path), folder = dirname(target);
    const names = present.get(folder) ?? madeFolder(folder, target);
    present.set(folder, names);
    // a file that is not there costs an exception to read: thousands of them would take longer than the writing
    const isSame = names.has(basename(target)) && readTextIfThere(target) === text;
    if (!isSame) refusing(target, () => Deno.writeTextFileSync(target, text));
    if (isRunPage(path)) runPages++;
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

function isRunPage(path: string): boolean {
  return path.startsWith(`${RUN_PAGES}/`) && RUN_PAGE.test(path.slice(RUN_PAGES.length + 1));
}

function refusing(path: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    throw writeError(error, path);
  }
}

/** @returns The exit code: 0 all files are what they should be, 1 some are not, and are named. */
export function checkFiles(files: readonly ReportFile[], { out, stdout, stderr }: Output): number {
  const stale = files.flatMap(({ path, text }) => {
    const committed = readTextIfThere(join(out, path));
    if (committed === text) return [];
    return [`${join(out, path)} ${committed === null ? "is missing" : "is not what the records give"}`];
  });
  const wrong = [...stale, ...leftOver(files, out).map((path) => `${join(out, path)} is of no record`)];
  if (wrong.length === 0) {
    stdout(`All ${files.length} files are what the records give\n`);
    return 0;
  }
  stderr(`${wrong.join("\n")}\nRun \`deno task report\` to write them again\n`);
  return 1;
}
