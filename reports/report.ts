import { join } from "node:path";
import { InputError } from "../src/errors.ts";
import { parseRecords, renderReports, type ReportFile, type ReportInput, runsOf } from "../src/report/mod.ts";
import { readTextIfThere, writeFileAtomic } from "../src/runs/files.ts";
import type { RunRecord } from "../src/runs/record.ts";
import { collectRuns, namesIn } from "./collect.ts";
import { helpText, parseOptions, type ReportOptions } from "./options.ts";

/** What the command needs from outside. */
export interface ReportServices extends Pick<ReportInput, "pages" | "deviations"> {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
}

/**
 * `deno task report`: reads the records, writes or checks the files of the papers.
 * @returns The exit code: 0 written or fresh, 1 stale, 2 bad input.
 */
export function report(args: readonly string[], services: ReportServices): number {
  const papers = services.pages.map(({ id }) => id);
  try {
    const options = parseOptions(args, papers);
    if (options !== null) return reportWith(options, services);
    services.stdout(helpText(papers));
    return 0;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    services.stderr(`${error.message}\n`);
    return 2;
  }
}

function reportWith(options: ReportOptions, { pages, deviations, stdout, stderr }: ReportServices): number {
  if (options.collect !== null) {
    const added = collectRuns(options.collect, options.records);
    stdout(`Added ${added.runs} runs of ${options.collect} to ${added.files.join(", ") || options.records}\n`);
  }
  const records = readRecords(options);
  const used = new Set(pages.flatMap((page) => runsOf(page, records)));
  for (const { id, spec } of records.filter((record) => !used.has(record))) {
    stderr(`Run ${id} (${spec.arm}, ${spec.dataset.name}) belongs to no table of a paper and is left out\n`);
  }
  const files = renderReports({ pages, records, deviations }).filter(({ path }) => isWanted(path, options));
  return options.check
    ? check(files, { out: options.out, stdout, stderr })
    : write(files, { out: options.out, stdout });
}

/** The overview is over all papers: it is always wanted. */
function isWanted(path: string, { paper }: ReportOptions): boolean {
  return paper === null || path === "site/index.html" ||
    [`${paper}.md`, `${paper}.csv`, `site/${paper}.html`].includes(path);
}

function readRecords({ records, recordsGiven }: ReportOptions): RunRecord[] {
  const names = namesIn(records);
  if (names === null && recordsGiven) {
    throw new InputError(`Cannot read the records as there is no folder ${records}: name another with --records`);
  }
  return (names ?? []).filter((name) => name.endsWith(".jsonl")).sort().flatMap((name) => {
    const path = join(records, name);
    return parseRecords(readTextIfThere(path) ?? "", path);
  });
}

function write(
  files: readonly ReportFile[],
  { out, stdout }: { out: string } & Pick<ReportServices, "stdout">,
): number {
  for (const { path, text } of files) {
    writeFileAtomic(join(out, path), text);
    stdout(`Wrote ${join(out, path)}\n`);
  }
  return 0;
}

function check(
  files: readonly ReportFile[],
  { out, stdout, stderr }: { out: string } & Pick<ReportServices, "stdout" | "stderr">,
): number {
  const stale = files.flatMap(({ path, text }) => {
    const committed = readTextIfThere(join(out, path));
    if (committed === text) return [];
    return [`${join(out, path)} ${committed === null ? "is missing" : "is not what the records give"}`];
  });
  if (stale.length === 0) {
    stdout(`All ${files.length} files are what the records give\n`);
    return 0;
  }
  stderr(`${stale.join("\n")}\nRun \`deno task report\` to write them again\n`);
  return 1;
}
