import { join } from "node:path";
import { withMovedArms } from "../plan/moved_arms.ts";
import { InputError } from "../errors.ts";
import { bitsTitle, counted } from "../report/labels.ts";
import { movedCells, parseImport, parseRecords, renderReports, type ReportInput, runsOf } from "../report/mod.ts";
import { parseMeasurements } from "../report/judge/measurements.ts";
import { readTextIfThere } from "../store/files.ts";
import type { Measurement } from "../record/measurement.ts";
import type { RunRecord } from "../record/record.ts";
import { collectMeasurements, collectRuns, measurementsFolder, namesIn } from "./report_collect.ts";
import { recordsAt } from "./report_diff.ts";
import { helpText, parseOptions, type ReportOptions } from "./report_options.ts";
import { checkFiles, writeFiles } from "./report_output.ts";

/** What the command needs from outside. */
export interface ReportServices extends Pick<ReportInput, "pages" | "deviations" | "core"> {
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

function reportWith(options: ReportOptions, { pages: own, deviations, core, stdout, stderr }: ReportServices): number {
  const { out } = options;
  if (options.collect !== null) {
    const added = collectRuns(options.collect, options.records);
    for (const line of added.told) stdout(`${line}\n`);
    stdout(
      `Added ${counted(added.runs, "run")} of ${options.collect} to ${added.files.join(", ") || options.records}\n`,
    );
    const { measurements, files } = collectMeasurements(options.collect, options.records);
    if (measurements > 0) stdout(`Added ${measurements} measurements of ${options.collect} to ${files.join(", ")}\n`);
  }
  const records = readRecords(options);
  const pages = own.map((page) => withMovedArms(page, records));
  if (options.diff !== null) {
    const wanted = pages.filter(({ id }) => isWantedPaper(id, options));
    const before = recordsAt(options.diff, options.records);
    stdout(movedCells(wanted, { since: options.diff, before, now: records }));
    return 0;
  }
  const imported = options.imports.flatMap((path) => parseImport(readImport(path), path));
  tellLost(pages, records, { stderr });
  const ids = pages.map(({ id }) => id);
  const measurements = readMeasurements(options);
  const files = renderReports({ pages, records, deviations, ...(core ? { core } : {}), measurements, imported }).filter(
    ({ path }) =>
      (options.site || !path.startsWith("site/")) &&
      ids.every((id) => isWantedPaper(id, options) || !isOfPaper(path, id)),
  );
  return options.check ? checkFiles(files, { out, stdout, stderr }) : writeFiles(files, { out, stdout, stderr });
}

/** Runs of no table are told, by arm, bits and data set: a misnamed arm must not vanish. Trials are in no table by right. */
function tellLost(
  pages: ReportServices["pages"],
  records: readonly RunRecord[],
  { stderr }: Pick<ReportServices, "stderr">,
): void {
  const used = new Set(pages.flatMap((page) => runsOf(page, records)));
  const lost = records.filter((record) => !used.has(record) && record.spec.dataset.evaluateOn === "test");
  if (lost.length === 0) return;
  // an arm may have its table, at other bits
  const names = [...Map.groupBy(lost, ({ spec }) => placeOf(spec))].map(([place, runs]) =>
    `${[...new Set(runs.map(({ spec }) => spec.arm))].join(", ")} ${place}`
  );
  stderr(
    `${counted(lost.length, "run")} in no table of a paper, shown by pages of their own alone: ${names.join("; ")}\n`,
  );
}

function placeOf({ quantization, dataset }: RunRecord["spec"]): string {
  return `${quantization === null ? "" : `at ${bitsTitle(quantization)} `}on ${dataset.name}`;
}

function isWantedPaper(id: string, { paper }: ReportOptions): boolean {
  return paper === null || paper === id;
}

/** Whether a file is of one paper alone; the others are over all papers and always wanted. */
function isOfPaper(path: string, id: string): boolean {
  return path.startsWith(`${id}.`) || path === `site/${id}.html` || path.startsWith(`site/data/${id}.`) ||
    path.startsWith(`site/data/${id}_`);
}

function readRecords({ records, recordsGiven }: ReportOptions): RunRecord[] {
  const names = namesIn(records);
  if (recordsGiven && names === null) {
    throw new InputError(`Cannot read the records as there is no folder ${records}: name another with --records`);
  }
  if (names !== null && !names.some(isRecords)) {
    throw new InputError(
      `Cannot read the records as ${records} holds no .jsonl: name another folder with --records, or add the runs of a ` +
        "`deno task bench` with --collect DIR",
    );
  }
  return readLines(records, parseRecords);
}

function isRecords(name: string): boolean {
  return name.endsWith(".jsonl");
}

function readMeasurements({ records }: ReportOptions): Measurement[] {
  return readLines(measurementsFolder(records), parseMeasurements);
}

/** What the *.jsonl of a folder hold, by name; nothing where there is no such folder. */
function readLines<T>(folder: string, parse: (text: string, source: string) => T[]): T[] {
  return (namesIn(folder) ?? []).filter(isRecords).sort().flatMap((name) => {
    const path = join(folder, name);
    return parse(readTextIfThere(path) ?? "", path);
  });
}

function readImport(path: string): string {
  const text = readTextIfThere(path);
  if (text === null) throw new InputError(`Cannot import ${path} as there is no such file: name another with --import`);
  return text;
}
