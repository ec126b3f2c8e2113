import { InputError } from "../errors.ts";
import { PAPERS, SUITE } from "../../benchmarks/mod.ts";
import { parseStoreUrl } from "../queue/store_url.ts";
import { parseQueueUrl } from "../queue/url.ts";
import { type BaseProtocol, PROTOCOLS } from "../record/spec.ts";
import { type Bits, formatBits } from "../catalog/bits.ts";
import type { Paper } from "../catalog/paper.ts";
import type { Suite } from "../catalog/suite.ts";
import { armTitle, datasetTitle, modelTitle } from "../catalog/titles.ts";
import { counted } from "../report/labels.ts";
import type { BenchOptions, BenchServices } from "./bench_options.ts";
import { listed, WIDTH } from "./columns.ts";
import {
  choice,
  commandLine,
  engineOption,
  type Flag,
  helpAlone,
  jobsOption,
  limitOptions,
  listOf,
  option,
  precisionOption,
  runCommand,
  wholeNumber,
} from "./command_line.ts";
import type { Console } from "./console.ts";
import { watchOption } from "./watch.ts";

const ALL_PAPERS = "all";
/** Folder of the full-precision networks that the project's own evidence started from. */
const COMMITTED_TEACHERS = "reports/teachers";

/** Options of `--help`, then those of `--help-all`. */
function benchLine(papers: readonly Paper[]) {
  const ofWorkers = "give it to each `deno task worker`", withoutQueue = "leave it out, or run without a queue";
  const basic: Flag[] = [
    choice("--paper <ID>", "paper whose tables to run", paperIds(papers)),
    choice("--protocol <NAME>", "how much of the recipe", PROTOCOLS).default("smoke" satisfies BaseProtocol),
    option("--table <ID>", "one table of the paper").default(null, "all"),
    option("--methods <A,B>", "rows of the tables", listOf("methods")).default(null, "all"),
    option("--models <A,B>", "models in place of the protocol's", listOf("models")).default(null),
    option("--bits <W2A2,W4A4>", "bits in place of the protocol's", (text) => listOf("bits")(text).map(parseBits))
      .default(null),
    option("--seeds <0,1,2>", "seeds in place of the protocol's", (text) => listOf("seeds")(text).map(parseSeed))
      .default(null),
    engineOption(),
    jobsOption().excludes(["queue"], ofWorkers),
    option("--out <DIR>", "folder of the runs").default("runs"),
    watchOption().excludes(["dryRun"], "leave one out, as a dry run has nothing to watch"),
    option("--dry-run", "print the plan and its cost, run nothing"),
    option("--print", "print Markdown, on a terminal too"),
    option("--list", "print what the options above can name")
      .excludes(["json"], "leave --json out, as the list is for people"),
    option("--help-all", "print these and rarer options"),
  ];
  const rare: Flag[] = [
    option("--probe", "with --dry-run: first time 10 steps of each kind of run on this machine"),
    option("--runs", "with --dry-run: list each run with its id"),
    option(
      "--epochs <N>",
      "another length of the protocol: N epochs quantized, the rest in proportion; such rows fill no cell of a paper",
      wholeNumber("epochs", { to: 100_000, remedy: "give such as 20" }),
    ).default(null),
    option("--quantizer <NAME>", "quantizer of every arm in place of its own; such rows fill no cell of a paper")
      .default(null),
    option("--teachers <DIR>", `take full-precision runs from ${COMMITTED_TEACHERS} or an --out folder`).default(null)
      .excludes(["store"], "leave it out, or share a folder instead"),
    option("--queue <URL>", "leave the runs to the workers of a Redis server, redis://host:6379", parseQueueUrl)
      .default(null),
    option("--store <URL>", "with --queue: S3 bucket used instead of a shared --out folder", parseStoreUrl)
      .default(null),
    precisionOption(),
    ...limitOptions().map((flag) => flag.excludes(["queue"], ofWorkers)),
    option(
      "--retries <N>",
      "times that a run that crashed is tried again",
      wholeNumber("retries", { from: 0, to: 99, remedy: "give such as 2" }),
    ).default(null, "0, with --queue 1"),
    option("--fail-fast", "stop the other runs, with their checkpoints, when one failed")
      .excludes(["queue"], withoutQueue),
    option("--keep-epochs", "keep a checkpoint of each epoch, for `deno task measure --epochs`")
      .excludes(["queue"], withoutQueue),
    option("--no-report", "write no tables"),
    option("--json", "print one JSON document"),
  ];
  const line = commandLine("bench", "Trains the methods of a paper and compares them with its published numbers", [
    "Exit codes: 0 all runs done, 1 some runs failed or were stopped, 2 bad input",
  ]);
  for (const flag of basic) line.addOption(flag);
  for (const flag of rare) line.addOption(flag.helpGroup("Rarer options:").hideHelp());
  return line;
}

/**
 * `deno task bench`: plans the tables of the papers, runs what is not done, writes the report.
 *
 * @param services The console, and what takes the place of this machine's services in a test.
 * @returns The exit code: 0 all done, 1 some failed or stopped, 2 bad input.
 */
export async function bench(
  args: readonly string[],
  { papers = PAPERS, ...services }: Console & Partial<BenchServices>,
): Promise<number> {
  const line = benchLine(papers);
  if (helpAlone(line, args, services)) return 0;
  return await runCommand<BenchOptions>(line, args, {
    output: services,
    async act(options) {
      if (options.helpAll) {
        for (const flag of line.options) flag.hideHelp(false);
        return void line.outputHelp();
      }
      if (options.list) {
        const { QUANTIZERS } = await import("../quant/mod.ts");
        const { knownModels } = await import("../plan/tables.ts");
        const suite = { ...SUITE, papers: options.paper === undefined ? papers : papersOf(options, papers) };
        return services.stdout(listText(suite, { models: knownModels(suite), quantizers: QUANTIZERS }));
      }
      const chosen = papersOf(options, papers);
      const { benchServices } = await import("./services.ts");
      const { runBench } = await import("./bench_runs.ts");
      return await runBench({ ...options, papers: chosen, args }, { ...benchServices(papers), ...services });
    },
  });
}

/** @throws {InputError} If the paper is missing, or options contradict each other in a way that commander does not know. */
function papersOf(
  { paper, table, store, queue, ...options }: BenchOptions,
  papers: readonly Paper[],
): readonly Paper[] {
  const alone = (["probe", "runs"] as const).find((name) => options[name] && !options.dryRun);
  if (alone !== undefined) {
    throw new InputError(`Cannot use --${alone} without --dry-run: add it, or leave --${alone} out`);
  }
  if (paper === undefined) {
    throw new InputError(`Cannot run without --paper: give --paper ${paperIds(papers).join("|")}, or --help`);
  }
  if (table !== null && paper === ALL_PAPERS) {
    throw new InputError(`Cannot use --table ${table} together with --paper all: name the paper of the table`);
  }
  if (store !== null && queue === null) {
    throw new InputError("Cannot use --store without --queue: leave it out, as one machine has its folder");
  }
  return papers.filter(({ id }) => [id, ALL_PAPERS].includes(paper));
}

function paperIds(papers: readonly Paper[]): string[] {
  return [...papers.map(({ id }) => id), ALL_PAPERS];
}

function parseBits(text: string): Bits {
  const match = /^W([1-8])A([1-8])$/i.exec(text);
  if (match) return { weights: Number(match[1]), activations: Number(match[2]) };
  throw new InputError(`Cannot use bits "${text}" as they must be W1A1 to W8A8: write them such as W2A4`);
}

function parseSeed(text: string): number {
  const seed = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(seed)) return seed;
  throw new InputError(`Cannot use seed "${text}" as seeds must be whole numbers from 0: write them such as 0,1,2`);
}

/** Lists every name that `bench` takes, in columns. */
function listText(
  { papers, protocols }: Suite,
  { models, quantizers }: { models: readonly string[]; quantizers: readonly { readonly name: string }[] },
): string {
  const tables = papers.flatMap((paper) => paper.tables.map((table) => ({ paper, table })));
  const arms = new Map(
    papers.flatMap((paper) => paper.tables.flatMap((table) => table.arms)).map((arm) => [arm.id, arm]),
  );
  return [
    section("Papers, --paper", papers.map(({ id, title }) => [id, title])),
    section(
      "Tables, --table with --paper",
      tables.map(({ paper, table: { id, dataset, bits, arms } }) => [
        paper.id,
        id,
        datasetTitle(dataset),
        counted(arms.length, "method"),
        bits.map(formatBits).join(" "),
      ]),
    ),
    section(
      "Protocols, --protocol",
      Object.values(protocols).map(({ name, models, seeds, fullPrecision, quantized }) => [
        name,
        `${fullPrecision.epochs} + ${quantized.epochs} epochs`,
        counted(seeds.length, "seed"),
        models?.map(modelTitle).join(", ") ?? "the paper's models",
      ]),
    ),
    section("Models, --models", models.map((id) => [id, modelTitle(id)])),
    section("Quantizers, --quantizer", filled(quantizers.map(({ name }) => name))),
    section("Methods, --methods: rows of the tables", [...arms.values()].map((arm) => [arm.id, armTitle({ arm })])),
  ].join("\n");
}

/** Writes rows below a title. */
function section(title: string, rows: readonly (readonly string[])[]): string {
  return `${title}\n${listed(rows, 2)}`;
}

/** Puts names side by side, as many as fit. */
function filled(names: readonly string[]): string[][] {
  const width = Math.max(...names.map((name) => name.length)) + 2, perRow = Math.floor((WIDTH - 2) / width);
  return Array.from({ length: Math.ceil(names.length / perRow) }, (_, i) => names.slice(i * perRow, (i + 1) * perRow));
}
