import { parseArgs } from "node:util";
import { InputError, messageOf } from "../errors.ts";

/** What a user asks of `deno task report`. */
export interface ReportOptions {
  /** Id of a paper; null: all. */
  readonly paper: string | null;
  readonly records: string;
  /** Whether the records folder was named: then it must be there. */
  readonly recordsGiven: boolean;
  readonly out: string;
  /** Write the site too: only outside the committed folder. */
  readonly site: boolean;
  /** Folder of a finished `deno task bench`, whose runs are added to the records first; null: none. */
  readonly collect: string | null;
  /** CSV files with results of other tools. */
  readonly imports: readonly string[];
  readonly check: boolean;
  /** Revision of git whose records are compared with the present ones; null: none. */
  readonly diff: string | null;
}

const ALL_PAPERS = "all";
const DEFAULT_RECORDS = "reports/records";
const DEFAULT_OUT = "reports";

/** The text of `--help`. */
export function helpText(papers: readonly string[]): string {
  const rows: readonly (readonly [option: string, meaning: string])[] = [
    [`--paper ${[...papers, ALL_PAPERS].join("|")}`, `which paper's files to write; default: ${ALL_PAPERS}`],
    ["--records DIR", `folder of *.jsonl, one run a line; default: ${DEFAULT_RECORDS}`],
    ["--out DIR", `folder to write, with the site in DIR/site; default: ${DEFAULT_OUT}, without the site`],
    ["--collect DIR", "first add the ended runs of this folder of `deno task bench` to the records"],
    ["--import FILE.csv", "show results of another tool in rows of their own; needs --out; may be repeated"],
    ["--check", "write nothing; name each file that is not what the records give"],
    ["--diff REV", "write nothing; say which cells moved since this commit of the records"],
    ["--help", "print this"],
  ];
  const width = Math.max(...rows.map(([option]) => option.length));
  return [
    "Writes the tables and the site of the papers from the committed records",
    "",
    "Usage: deno task report [options]",
    "",
    ...rows.map(([option, meaning]) => `  ${option.padEnd(width)}  ${meaning}`),
    "",
    "Exit codes: 0 all files written or fresh, 1 --check found stale files, 2 bad input",
    "",
  ].join("\n");
}

/**
 * Reads the command line.
 * @returns The options; null: help was asked for.
 * @throws {InputError} If an option or its value is not known, or options contradict each other.
 */
export function parseOptions(args: readonly string[], papers: readonly string[]): ReportOptions | null {
  const given = readFlags(args);
  if (given.help) return null;
  const paper = given.paper ?? ALL_PAPERS;
  if (![...papers, ALL_PAPERS].includes(paper)) {
    throw new InputError(
      `Cannot use paper "${paper}" as it is not known: choose one of ${[...papers, ALL_PAPERS].join(", ")}`,
    );
  }
  refuseContradictions(given);
  return {
    paper: paper === ALL_PAPERS ? null : paper,
    records: given.records ?? DEFAULT_RECORDS,
    recordsGiven: given.records !== undefined,
    out: given.out ?? DEFAULT_OUT,
    site: given.out !== undefined,
    collect: given.collect ?? null,
    imports: given.import ?? [],
    check: given.check ?? false,
    diff: given.diff ?? null,
  };
}

type Flags = ReturnType<typeof readFlags>;

function refuseContradictions(given: Flags): void {
  if (given.check && given.collect !== undefined) {
    throw new InputError(
      `Cannot use --check together with --collect ${given.collect} as --check writes nothing: leave one out`,
    );
  }
  const beside = (["collect", "import", "check", "out"] as const).find((name) => given[name] !== undefined);
  if (given.diff !== undefined && beside !== undefined) {
    throw new InputError(
      `Cannot use --diff ${given.diff} together with --${beside} as --diff only compares records: leave one out`,
    );
  }
  if (given.import !== undefined && given.out === undefined) {
    throw new InputError(
      `Cannot import ${
        given.import.join(", ")
      } into ${DEFAULT_OUT} as committed pages come from committed records only: ` +
        "name another folder with --out",
    );
  }
}

function readFlags(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        paper: { type: "string" },
        records: { type: "string" },
        out: { type: "string" },
        collect: { type: "string" },
        import: { type: "string", multiple: true },
        check: { type: "boolean" },
        diff: { type: "string" },
        help: { type: "boolean" },
      },
    }).values;
  } catch (error) {
    const [sentence] = messageOf(error).split(/[.\n] ?/);
    throw new InputError(`Cannot read the command line: ${sentence}; see --help`);
  }
}
