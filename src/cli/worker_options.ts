import { ENGINE_CHOICES, type EngineChoice } from "../engine/mod.ts";
import { InputError } from "../errors.ts";
import type { RunLimits } from "../pool/limits.ts";
import { type BucketAddress, parseStoreUrl } from "../queue/store_url.ts";
import { parseQueueUrl, type QueueAddress } from "../queue/url.ts";
import { LIMIT_OPTIONS, type Option, optionLines, parseLimits, readFlags } from "./flags.ts";

/** What a user asks of `deno task worker`. */
export interface WorkerFlags {
  readonly queue: QueueAddress;
  readonly out: string;
  /** Null: the folder is shared. */
  readonly store: BucketAddress | null;
  /** Null: one process a core. */
  readonly jobs: number | null;
  readonly limits: RunLimits;
  readonly engine: EngineChoice;
}

const OPTIONS: readonly Option[] = [
  { name: "queue", value: "URL", help: "the Redis server, redis://host:6379, or rediss:// for TLS (required)" },
  {
    name: "out",
    value: "DIR",
    help: "the folder that bench and all workers share, or with --store its own (required)",
  },
  {
    name: "store",
    value: "URL",
    help: "the bucket that bench was given, s3://bucket/prefix; default: the folder is shared",
  },
  { name: "jobs", value: "N", help: "how many runs at once; default: one a core, give 1 on a GPU" },
  ...LIMIT_OPTIONS,
  { name: "engine", value: ENGINE_CHOICES.join("|"), help: "which runs to take; default: auto, as in bench" },
  { name: "help", value: null, help: "print this" },
];

export const WORKER_HELP = [
  "Takes the runs of `deno task bench --queue URL` and computes them on this machine",
  "",
  "Usage: deno task worker --queue URL --out DIR [options]",
  "",
  ...optionLines(OPTIONS),
  "",
  "Give the password in REQUANT_REDIS_PASSWORD: one in the URL works, but stands in the machine's list of processes",
  "For rediss:// with a certificate of your own: REQUANT_REDIS_CA names the PEM file of its authority",
  "Ctrl-C: the runs write their checkpoints and go back to the queue; twice: they end at once",
  "Exit codes: 0 stopped as asked, 2 bad input or a folder or server that cannot be used",
  "",
].join("\n");

/**
 * Reads the command line.
 * @returns Null: help was asked for.
 * @throws {InputError} If a flag or its value is not known or missing; the message never holds a password.
 */
export function parseWorkerFlags(args: readonly string[]): WorkerFlags | null {
  const given = readFlags(args, OPTIONS);
  if (given.has("help")) return null;
  const [queue, out, jobs] = ["queue", "out", "jobs"].map((name) => given.get(name));
  const store = given.get("store");
  const engine = given.get("engine") ?? "auto";
  if (queue === undefined) throw new InputError("Cannot work without --queue: give --queue redis://host:6379");
  if (out === undefined) throw new InputError("Cannot work without --out: give the folder that bench was given");
  const address = parseQueueUrl(queue);
  if (jobs !== undefined && !(/^\d+$/.test(jobs) && Number(jobs) >= 1 && Number(jobs) <= 1024)) {
    throw new InputError(
      `Cannot use --jobs "${jobs}" as it must be a whole number from 1 to 1024: leave it out for one a core`,
    );
  }
  const choice = ENGINE_CHOICES.find((name) => name === engine);
  if (choice === undefined) {
    throw new InputError(
      `Cannot use engine "${engine}" as it is not known: choose one of ${ENGINE_CHOICES.join(", ")}`,
    );
  }
  const limits = parseLimits(given);
  return {
    queue: address,
    out,
    store: store === undefined ? null : parseStoreUrl(store),
    jobs: jobs === undefined ? null : Number(jobs),
    limits,
    engine: choice,
  };
}
