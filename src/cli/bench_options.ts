import { ENGINE_CHOICES, type EngineChoice } from "../engine/mod.ts";
import { InputError } from "../errors.ts";
import type { RunLimits } from "../pool/limits.ts";
import { type BucketAddress, parseStoreUrl } from "../queue/store_url.ts";
import { parseQueueUrl, type QueueAddress } from "../queue/url.ts";
import { type ProtocolName, PROTOCOLS } from "../record/spec.ts";
import { LIMIT_OPTIONS, type Option, optionLines, parseJobs, parseLimits, readFlags } from "./flags.ts";
import { unknownValue } from "../plan/tables.ts";
import type { Bits, Paper } from "../catalog/grid.ts";

/** What a user asks of `deno task bench`. */
export interface BenchOptions {
  readonly papers: readonly Paper[];
  readonly table: string | null;
  readonly protocol: ProtocolName;
  readonly methods: readonly string[] | null;
  readonly models: readonly string[] | null;
  readonly bits: readonly Bits[] | null;
  readonly seeds: readonly number[] | null;
  /** In place of every quantized arm's own; null: their own. */
  readonly quantizer: string | null;
  readonly engine: EngineChoice;
  /** Null: one process a core. */
  readonly jobs: number | null;
  readonly limits: RunLimits;
  /** How often a run that crashed is tried again; null: as the pool or the queue does by default. */
  readonly retries: number | null;
  readonly failFast: boolean;
  readonly keepEpochs: boolean;
  /** Null: this machine alone. */
  readonly queue: QueueAddress | null;
  /** Null: the folder is shared. */
  readonly store: BucketAddress | null;
  /** Folder of full-precision runs to take instead of training them; null: none. */
  readonly teachers: string | null;
  readonly out: string;
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly report: boolean;
}

const ALL_PAPERS = "all";
const DEFAULT_PROTOCOL: ProtocolName = "smoke";
const DEFAULT_ENGINE: EngineChoice = "auto";
const DEFAULT_OUT = "runs";
/** Where the project keeps the networks that its own evidence started from. */
const COMMITTED_TEACHERS = "reports/teachers";
/** With a queue it is the workers that start runs. */
const OF_WORKERS = ["jobs", ...LIMIT_OPTIONS.map(({ name }) => name)];

/** The one table of options: parsing and help are made from it. */
function optionTable(papers: readonly Paper[]): readonly Option[] {
  const tables = papers.map(({ id, grids }) => `${id}: ${grids.map((grid) => grid.id).join(", ")}`).join("; ");
  const arms = [...new Set(papers.flatMap(({ grids }) => grids.flatMap((grid) => grid.arms.map(({ id }) => id))))];
  return [
    { name: "paper", value: paperIds(papers).join("|"), help: "which paper's tables to run (required)" },
    { name: "table", value: "ID", help: `one table of the paper (${tables}); default: all of the protocol` },
    { name: "protocol", value: PROTOCOLS.join("|"), help: `how much of the recipe; default: ${DEFAULT_PROTOCOL}` },
    {
      name: "methods",
      value: "A,B",
      help: `rows of the tables to be run (of smoke the paper's first, or --table), among ${
        arms.join(", ")
      }; default: all`,
    },
    { name: "models", value: "A,B", help: "models in place of the protocol's" },
    { name: "bits", value: "W2A2,W4A4", help: "weight and activation bits in place of the protocol's" },
    { name: "seeds", value: "0,1,2", help: "seeds in place of the protocol's" },
    {
      name: "quantizer",
      value: "NAME",
      help: "quantizer of every arm in place of its own; such rows are no paper's cells",
    },
    {
      name: "engine",
      value: ENGINE_CHOICES.join("|"),
      help: `what computes; default: ${DEFAULT_ENGINE}, tensorflow where it is found`,
    },
    { name: "jobs", value: "N", help: "how many runs at once; default: one a core" },
    { name: "queue", value: "URL", help: "leave the runs to the workers of a Redis server, redis://host:6379" },
    { name: "store", value: "URL", help: "with --queue: bucket that has what --out shares else, s3://bucket/prefix" },
    ...LIMIT_OPTIONS,
    { name: "retries", value: "N", help: "how often a run that crashed is tried again; default: 0, with --queue 1" },
    { name: "fail-fast", value: null, help: "stop the other runs, with their checkpoints, when one has failed" },
    { name: "keep-epochs", value: null, help: "keep a checkpoint of each epoch, for `deno task measure --epochs`" },
    {
      name: "teachers",
      value: "DIR",
      help: `take full-precision runs that DIR has instead of training them: ${COMMITTED_TEACHERS} or an --out folder`,
    },
    { name: "out", value: "DIR", help: `folder of runs and reports; default: ${DEFAULT_OUT}` },
    { name: "dry-run", value: null, help: "print the plan and its estimates, run nothing" },
    { name: "json", value: null, help: "print one JSON document on stdout" },
    { name: "no-report", value: null, help: "write no tables" },
    { name: "help", value: null, help: "print this" },
  ];
}

function paperIds(papers: readonly Paper[]): string[] {
  return [...papers.map(({ id }) => id), ALL_PAPERS];
}

/** The text of `--help`. */
export function helpText(papers: readonly Paper[]): string {
  return [
    "Runs the tables of a paper and compares them with the published ones",
    "",
    "Usage: deno task bench --paper PAPER [options]",
    "",
    ...optionLines(optionTable(papers)),
    "",
    "Exit codes: 0 all runs done, 1 some runs failed or were stopped, 2 bad input",
    "",
  ].join("\n");
}

/**
 * Reads the command line.
 * @returns The options; null: help was asked for.
 * @throws {InputError} If an option or its value is not known, or options contradict each other.
 */
export function parseOptions(args: readonly string[], papers: readonly Paper[]): BenchOptions | null {
  const given = readFlags(args, optionTable(papers));
  if (given.has("help")) return null;
  const paper = given.get("paper");
  if (paper === undefined) {
    throw new InputError(`Cannot run without --paper: give --paper ${paperIds(papers).join("|")}, or --help`);
  }
  const table = given.get("table") ?? null;
  if (table !== null && paper === ALL_PAPERS) {
    throw new InputError(`Cannot use --table ${table} together with --paper all: name the paper of the table`);
  }
  const methods = given.get("methods");
  const models = given.get("models");
  const bits = given.get("bits");
  const seeds = given.get("seeds");
  const jobs = given.get("jobs");
  const queue = given.get("queue");
  for (const name of OF_WORKERS) {
    if (queue === undefined || !given.has(name)) continue;
    throw new InputError(`Cannot use --${name} together with --queue: give --${name} to each \`deno task worker\``);
  }
  for (const name of ["fail-fast", "keep-epochs"]) {
    if (queue === undefined || !given.has(name)) continue;
    throw new InputError(`Cannot use --${name} together with --queue: leave it out, or run without a queue`);
  }
  const store = given.get("store");
  if (store !== undefined && queue === undefined) {
    throw new InputError("Cannot use --store without --queue: leave it out, as one machine has its folder");
  }
  const teachers = given.get("teachers");
  if (teachers !== undefined && store !== undefined) {
    throw new InputError("Cannot use --teachers together with --store: leave it out, or share a folder instead");
  }
  const retries = given.get("retries");
  return {
    papers: paper === ALL_PAPERS
      ? papers
      : [papers.find(({ id }) => id === paper) ?? fail(unknownValue("paper", paper, paperIds(papers)))],
    table,
    protocol: oneOf("protocol", given.get("protocol") ?? DEFAULT_PROTOCOL, PROTOCOLS),
    methods: methods === undefined ? null : listOf("methods", methods),
    models: models === undefined ? null : listOf("models", models),
    bits: bits === undefined ? null : listOf("bits", bits).map(parseBits),
    seeds: seeds === undefined ? null : listOf("seeds", seeds).map(parseSeed),
    quantizer: given.get("quantizer") ?? null,
    engine: oneOf("engine", given.get("engine") ?? DEFAULT_ENGINE, ENGINE_CHOICES),
    jobs: jobs === undefined ? null : parseJobs(jobs),
    limits: parseLimits(given),
    retries: retries === undefined ? null : parseRetries(retries),
    failFast: given.has("fail-fast"),
    keepEpochs: given.has("keep-epochs"),
    queue: queue === undefined ? null : parseQueueUrl(queue),
    store: store === undefined ? null : parseStoreUrl(store),
    teachers: teachers ?? null,
    out: given.get("out") ?? DEFAULT_OUT,
    dryRun: given.has("dry-run"),
    json: given.has("json"),
    report: !given.has("no-report"),
  };
}

function fail(error: InputError): never {
  throw error;
}

function oneOf<Known extends string>(kind: string, value: string, known: readonly Known[]): Known {
  return known.find((item) => item === value) ?? fail(unknownValue(kind, value, known));
}

function listOf(kind: string, text: string): string[] {
  const items = text.split(",").map((item) => item.trim());
  if (items.includes("")) {
    throw new InputError(`Cannot use --${kind} "${text}" as a value between its commas is empty: leave the comma out`);
  }
  return [...new Set(items)];
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

function parseRetries(text: string): number {
  if (/^\d{1,2}$/.test(text)) return Number(text);
  throw new InputError(`Cannot use --retries "${text}" as it must be a whole number from 0 to 99: give such as 2`);
}
