import { dirname, join } from "node:path";
import { SUITE } from "../../benchmarks/mod.ts";
import { reportedPapers } from "../plan/reported_papers.ts";
import { InputError } from "../errors.ts";
import { bitsTitle } from "../catalog/bits.ts";
import { counted } from "../report/labels.ts";
import type { ReportFile, ReportInput } from "../report/mod.ts";
import { measurementsFolder, parseMeasurements, parseRecords } from "../report/read/records.ts";
import { folderExists, namesIn, readTextIfThere } from "../store/files.ts";
import { git } from "../store/git.ts";
import { parseRates } from "../record/rate.ts";
import { isOfNetwork, type Measurement } from "../record/measurement.ts";
import type { RunRecord } from "../record/record.ts";
import { baseOf, IMPORTED, protocolLabel, PROTOCOLS } from "../record/spec.ts";
import { deviationsOf } from "../catalog/protocol.ts";
import type { Measured } from "../plan/estimate.ts";
import { choice, commandLine, option, runCommand } from "./command_line.ts";
import type { Output } from "./console.ts";
import { checkFiles, writeFiles } from "./report_files.ts";
import { renderReports } from "./services.ts";

/** Papers that are reported. */
type Reported = Pick<ReportInput, "pages" | "deviations" | "core"> & {
  /** Makes the page of what the tables cost; left out: there is none. */
  readonly costs?: (measured: Measured) => Promise<ReportFile>;
};

/** Options of `deno task report`. */
interface ReportOptions {
  /** Id of a paper, or `all`. */
  readonly paper: string;
  /** Must be there; left out: the committed ones. */
  readonly records?: string;
  readonly out?: string;
  /** Folder of a finished `deno task bench`, whose runs are added to the records first. */
  readonly collect?: string;
  /** CSV files with results of other tools. */
  readonly import?: readonly string[];
  readonly check?: true;
  /** Revision of git whose records are compared with the present ones. */
  readonly diff?: string;
}

const ALL_PAPERS = "all";
const DEFAULT_RECORDS = "reports/records";
const DEFAULT_OUT = "reports";
/** Beside the folder of the records. */
const FINDINGS = "findings.md", RATES = "rates.jsonl";

/**
 * `deno task report`: reads the records, writes or checks the files of the papers.
 *
 * @param reported Left out: the papers of the project.
 * @returns The exit code: 0 written or fresh, 1 stale, 2 bad input.
 */
export async function report(
  args: readonly string[],
  { pages, deviations, core, ...output }: Output & Partial<Reported>,
) {
  const reported = pages === undefined
    ? projectPapers()
    : { pages, deviations: deviations ?? {}, ...(core ? { core } : {}) };
  const papers = [...reported.pages.map(({ id }) => id), ALL_PAPERS];
  const line = commandLine("report", "Writes the tables and the site of the papers from the committed records", [
    "Exit codes: 0 all files written or fresh, 1 --check found stale files, 2 bad input",
  ]).addOption(choice("--paper <ID>", "paper whose files to write", papers).default(ALL_PAPERS))
    .addOption(option("--records <DIR>", "folder of *.jsonl, one run per line").default(undefined, DEFAULT_RECORDS))
    .addOption(
      option("--out <DIR>", "folder to write, with the site in DIR/site").default(
        undefined,
        `${DEFAULT_OUT}, without the site`,
      ),
    )
    .addOption(option("--collect <DIR>", "first add the ended runs of a `deno task bench --out DIR` to the records"))
    .addOption(option("--import <FILE.csv...>", "show results of another tool in rows of their own; needs --out"))
    .addOption(
      option("--check", "write nothing; name each file that is not what the records give")
        .excludes(["collect"], "leave one out, as --check writes nothing"),
    )
    .addOption(
      option("--diff <REV>", "write nothing; list the cells that moved since this commit of the records")
        .excludes(["collect", "import", "check", "out"], "leave one out, as --diff only compares records"),
    );
  return await runCommand<ReportOptions>(line, args, {
    output,
    act: (options) => reportWith(options, reported, output),
  });
}

function projectPapers(): Reported {
  return {
    core: SUITE.core,
    pages: SUITE.papers,
    deviations: deviationsOf(SUITE.protocols, PROTOCOLS),
    costs: async (measured) => await (await import("./cost_page.ts")).costPage(measured), // builds networks: tensor code
  };
}

/** @returns The exit code. */
async function reportWith(options: ReportOptions, reported: Reported, output: Output): Promise<number> {
  const { pages: own, deviations, core, costs } = reported, { stdout } = output;
  const { collect, records: folder = DEFAULT_RECORDS, out = DEFAULT_OUT, diff, import: imports = [] } = options;
  if (imports.length > 0 && options.out === undefined) {
    throw new InputError(
      `Cannot import ${imports.join(", ")} into ${DEFAULT_OUT} as committed pages come from committed records only: ` +
        "name another folder with --out",
    );
  }
  if (collect !== undefined) {
    const { collectMeasurements, collectRuns } = await import("./report_collect.ts"); // opens networks: tensor code
    const added = await collectRuns(collect, folder);
    for (const line of added.told) stdout(`${line}\n`);
    stdout(`Added ${counted(added.runs, "run")} of ${collect} to ${added.files.join(", ") || folder}\n`);
    const { measurements, files } = collectMeasurements(collect, folder);
    if (measurements > 0) stdout(`Added ${measurements} measurements of ${collect} to ${files.join(", ")}\n`);
  }
  const records = readRecords(folder, { isGiven: options.records !== undefined });
  const before = diff === undefined ? [] : recordsAt(diff, folder);
  const pages = reportedPapers(own, { records: [...before, ...records], suite: SUITE });
  const { movedCells, parseImport, runsOf } = await import("../report/mod.ts"); // tables, figures, HTML
  if (diff !== undefined) {
    const wanted = pages.filter(({ id }) => isWantedPaper(id, options));
    stdout(movedCells(wanted, { since: diff, before, now: records }));
    return 0;
  }
  const imported = imports.flatMap((path) => parseImport(readImport(path), path));
  tellLost(records, new Set(pages.flatMap((page) => runsOf(page, records))), output);
  const ids = pages.map(({ id }) => id);
  const measurements = ofTheseNetworks(readLines(measurementsFolder(folder), parseMeasurements), records, output);
  const changed = records.map(({ spec }) => protocolLabel(spec)).filter((name) =>
    name !== baseOf(name) && name !== IMPORTED
  );
  const rates = parseRates(readTextIfThere(join(dirname(folder), RATES)) ?? "", join(dirname(folder), RATES));
  const files = [
    ...costs === undefined ? [] : [await costs({ records, rates })],
    ...await renderReports({
      pages,
      records,
      deviations: { ...deviations, ...deviationsOf(SUITE.protocols, changed) },
      ...(core ? { core } : {}),
      measurements,
      findings: readTextIfThere(join(dirname(folder), FINDINGS)),
      imported,
    }),
  ].filter(
    ({ path }) =>
      (options.out !== undefined || !path.startsWith("site/")) &&
      ids.every((id) => isWantedPaper(id, options) || !isOfPaper(path, id)),
  );
  return options.check ? checkFiles(files, { out, ...output }) : writeFiles(files, { out, ...output });
}

/** Leaves out the measurements of a network that another training has taken the place of. */
function ofTheseNetworks(
  measurements: readonly Measurement[],
  records: readonly RunRecord[],
  { stderr }: Output,
): Measurement[] {
  const byId = new Map(records.map((record) => [record.id, record]));
  const { kept = [], old = [] } = Object.groupBy(measurements, (item) => {
    const record = byId.get(item.run);
    return record === undefined || isOfNetwork(item, record) ? "kept" : "old";
  });
  if (old.length > 0) {
    const runs = [...new Set(old.map(({ run }) => run))].join(", ");
    stderr(`Left out ${counted(old.length, "measurement")}, as ${runs} was trained again since: measure it again\n`);
  }
  return kept;
}

/** Names runs of no table, by arm, bits and data set: a misnamed arm must not vanish. Trials belong to none. */
function tellLost(records: readonly RunRecord[], used: ReadonlySet<RunRecord>, { stderr }: Output): void {
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
  return paper === ALL_PAPERS || paper === id;
}

/** Tells files of one paper from those over all papers, which are always wanted. */
function isOfPaper(path: string, id: string): boolean {
  return path.startsWith(`${id}.`) ||
    ["site/", "site/data/"].some((folder) => path.startsWith(`${folder}${id}.`) || path.startsWith(`${folder}${id}_`));
}

function readRecords(records: string, { isGiven }: { isGiven: boolean }): RunRecord[] {
  const isThere = folderExists(records);
  if (isGiven && !isThere) {
    throw new InputError(`Cannot read the records as there is no folder ${records}: name another with --records`);
  }
  if (isThere && !namesIn(records).some(isRecords)) {
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

/** Reads the *.jsonl of a folder, by name; nothing where there is no such folder. */
function readLines<T>(folder: string, parse: (text: string, source: string) => T[]): T[] {
  return namesIn(folder).filter(isRecords).flatMap((name) => {
    const path = join(folder, name);
    return parse(readTextIfThere(path) ?? "", path);
  });
}

function readImport(path: string): string {
  const text = readTextIfThere(path);
  if (text === null) throw new InputError(`Cannot import ${path} as there is no such file: name another with --import`);
  return text;
}

/**
 * Reads `<records>/*.jsonl` of a revision; a folder that did not exist then has no records.
 *
 * @param folder The records folder of the working tree.
 * @throws {InputError} If git or its repository is missing, the revision is not known, or a record cannot be read.
 */
function recordsAt(revision: string, folder: string): RunRecord[] {
  // an unpacked archive in another repository has no file of its own there
  const own = git(folder, ["ls-files", "."]), problem = own.stdout === "" ? "git has none of it" : own.problem;
  if (problem !== null) {
    throw new InputError(
      `Cannot compare with ${revision} as ${folder} is no folder of a git checkout (${problem}): run it in a clone ` +
        "of the repository, or name its records with --records",
    );
  }
  const commit = git(folder, ["rev-parse", "--verify", "--quiet", "--end-of-options", `${revision}^{commit}`]);
  if (commit.problem !== null) {
    throw new InputError(
      `Cannot compare with "${revision}" as git knows no such commit here: name a commit, tag or branch, and fetch it ` +
        "first if the clone is shallow",
    );
  }
  const printed = (...args: string[]): string => git(folder, args).stdout ?? "";
  const names = printed("ls-tree", "--name-only", commit.stdout).split("\n").filter(isRecords).sort();
  return names.flatMap((name) => parseRecords(printed("show", `${commit.stdout}:./${name}`), `${revision}:${name}`));
}
